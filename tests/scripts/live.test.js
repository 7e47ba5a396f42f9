// @ts-check
// Rules of the arithmetic in src/deficits/reports/page/live.js. What the package makes of the same draws comes from
// tests/reports/test_live.py in a file; without it those tests are skipped.
"use strict";
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { unpack, range, apply, money, deficitWords, fromHash, toHash } = require("../../src/deficits/reports/page/live.js");

const START = { share: 90, cap: null, cover: 0, rate: 4.05 };
const ONE = {
  unit: 100000, years: [2026, 2027, 2028], councils: 1, draws: 1, england: true, paid: 2027, at: 0.5, covered: [2027],
  start: START,
};
/** One council in one future, in £m. @param {number[]} balances @param {object} [facts] */
const future = (balances, facts) =>
  ({ ...ONE, ...facts, values: balances.map((balance) => Int32Array.of(Math.round(balance * 10))) });
/** @param {number} found @param {number} expected £m */
const near = (found, expected) => assert.ok(Math.abs(found - expected * 1e6) < 1, `${found} is not £${expected}m`);

test("a share of a deficit is paid and the rest is left", () => {
  const found = apply(future([-100, -130, -170]), { ...START, share: 75 });
  near(found.grant[1], 75);
  near(found.left[1], 25);
  near(found.balance[0][1], 55);
  near(found.balance[1][1], 95);
});

test("no council is paid more than the limit, and a limit of nothing pays nothing", () => {
  near(apply(future([-100, -130, -170]), { ...START, cap: 20 }).grant[1], 20);
  near(apply(future([-100, -130, -170]), { ...START, cap: 0 }).grant[1], 0);
});

test("a council in surplus is paid nothing and adds nothing to the gross deficit", () => {
  const found = apply(future([5, 3, -2]), { ...START, cover: 100 });
  near(found.grant[1], 0);
  near(found.balance[0][1], 0);
  near(found.balance[1][1], 2);
});

test("growth is covered up to the deficit that is left and paid a year later", () => {
  const found = apply(future([-100, -130, -170]), { ...START, share: 100, cover: 50 });
  near(found.covered[1], 15);
  near(found.balance[0][1], 30);
  near(found.balance[1][1], 55);
  // From a surplus of 10 to a deficit of 20: only the deficit is covered.
  near(apply(future([10, -20, -30]), { ...START, cover: 100 }).covered[1], 20);
});

test("growth is not covered where it would pass what has been credited", () => {
  near(apply(future([-100, -90, -120]), { ...START, share: 100, cover: 100 }).covered[1], 0);
});

test("interest is on the average deficit of the year, the grant from the day it is paid", () => {
  const half = apply(future([-100, -100, -100]), { ...START, share: 100, rate: 10 });
  near(half.interest[0][1], 5);
  near(half.interest[1][1], 0);
  const early = apply(future([-100, -100, -100], { at: 0 }), { ...START, share: 100, rate: 10 });
  near(early.interest[0][1], 0);
});

test("one council's balance keeps its sign", () => {
  near(apply(future([-100, -130, 40], { england: false }), { ...START, share: 0 }).balance[0][1], -130);
});

test("a quantile between two values lies on the line between them", () => {
  assert.deepEqual(range(Float64Array.of(40, 0, 10, 20, 30)), [4, 20, 36]);
  assert.deepEqual(range(Float64Array.of(7)), [7, 7, 7]);
});

test("negative numbers and differences are unpacked", () => {
  // width 1, least -1, numbers 0 1; then width 0, least 3.
  const bits = ["00001", "1".repeat(24), "01", "00000", "0".repeat(22), "11"].join("");
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const text = (bits.padEnd(Math.ceil(bits.length / 6) * 6, "0").match(/.{6}/g) || [])
    .map((six) => letters[parseInt(six, 2)]).join("");
  const found = unpack(text, { ...ONE, years: [2026, 2027], draws: 2 });
  assert.deepEqual(found.values.map((row) => [...row]), [[-1, 0], [2, 3]]);
});

test("money is told with both ends in the unit of the larger", () => {
  assert.equal(money(610.84e6, 1213e6), "£0.61bn to £1.21bn");
  assert.equal(money(1.24e6, 3e6), "£1.2m to £3.0m");
  assert.equal(money(2e6, 2e6), "£2.0m");
  assert.equal(money(0, 2e6), "up to £2.0m");
  assert.equal(money(0, 0), "nothing");
});

test("a deficit that may be a surplus is told as both", () => {
  assert.equal(deficitWords(110.9e6, 193.9e6), "£110.9m to £193.9m");
  assert.equal(deficitWords(-3.2e6, 2.1e6), "£3.2m surplus to £2.1m deficit");
  assert.equal(deficitWords(-2e6, -1e6), "£1.0m to £2.0m surplus");
  assert.equal(deficitWords(0, 0), "nothing");
});

test("an address holds the terms and gives them back", () => {
  const terms = { share: 62, cap: 12.5, cover: 40, rate: 3.1 };
  assert.deepEqual(fromHash(toHash(terms), START), { terms, faults: [] });
  assert.deepEqual(fromHash(toHash(START), { ...terms }).terms, START);
});

test("what an address asks for wrongly is named and the rest is kept", () => {
  const { terms, faults } = fromHash("#try?share=150&cover=x&rate=&cap=7&colour=1", START);
  assert.deepEqual(terms, { ...START, cap: 7 });
  assert.deepEqual(faults, [
    "share is “150”, not a number from 0 to 100",
    "cover is “x”, not a number from 0 to 100",
    "rate is “”, not a number from 0 to 10",
    "“colour” is none of share, cap, cover, rate",
  ]);
});

const fixtures = process.env.LIVE_FIXTURES;
test("the numbers are the package's own", { skip: !fixtures && "no fixtures: run pytest tests/reports/test_live.py" }, () => {
  const cases = JSON.parse(readFileSync(String(fixtures), "utf-8"));
  for (const { facts, draws, scenarios } of cases) {
    const futures = unpack(draws, facts);
    for (const { terms, numbers } of scenarios) {
      const found = apply(futures, terms);
      /** @type {Record<string, number[]>} */
      const flat = { grant: found.grant, left: found.left, covered: found.covered };
      facts.years.slice(1).forEach((/** @type {number} */ year, /** @type {number} */ place) => {
        flat[`balance_${year}`] = found.balance[place];
        flat[`interest_${year}`] = found.interest[place];
      });
      assert.deepEqual(Object.keys(flat).sort(), Object.keys(numbers).sort());
      for (const [name, expected] of Object.entries(numbers)) {
        ["p10", "p50", "p90"].forEach((part, place) => {
          // To a penny: both work in floats.
          assert.ok(
            Math.abs(flat[name][place] - expected[part]) < 0.01,
            `${name} ${part} for ${JSON.stringify(terms)}: ${flat[name][place]}, the package has ${expected[part]}`,
          );
        });
      }
    }
  }
});
