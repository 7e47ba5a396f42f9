// A panel in which a reader moves the terms of a write-off; see whatif.py.
(() => {
  "use strict";
  const panel = document.querySelector(".what-if"), byId = (id) => document.getElementById(`try-${id}`);
  const facts = JSON.parse(panel.dataset.facts), own = { share: facts.share, cap: facts.cap };
  const [share, cap] = [byId("share"), byId("cap")], rows = [...panel.querySelectorAll("tbody tr")];

  const range = (values) => {
    const sorted = values.sort((a, b) => a - b);
    return [0.1, 0.5, 0.9].map((level) => {
      const place = level * (sorted.length - 1), below = Math.floor(place), next = sorted[Math.min(below + 1, sorted.length - 1)];
      return sorted[below] + (next - sorted[below]) * (place - below);
    });
  };

  // What terms do to the simulations here: ranges of the grant and of the deficit at each year end, £. A grant counts
  // from the base date on, the first of the years, as on the page: what is owed counts as paid.
  const simulated = (terms) => {
    const most = terms.cap === null ? Infinity : terms.cap * 1e6;
    const found = [0, ...facts.years].map(() => new Float64Array(facts.draws));
    for (const council of facts.balances) {
      for (let draw = 0; draw < facts.draws; draw++) {
        const paid = Math.min(Math.max(-council[0][draw] * facts.unit, 0) * terms.share / 100, most);
        found[0][draw] += paid;
        facts.years.forEach((_, place) => {
          const deficit = -council[place][draw] * facts.unit - (place ? paid : 0);
          found[place + 1][draw] += facts.england ? Math.max(deficit, 0) : deficit;
        });
      }
    }
    return found.map(range);
  };
  const none = simulated({ share: 0, cap: null }), started = simulated(own);

  // The same, moved by what the simulations here miss of the page's own numbers.
  const apply = (terms) => {
    const found = simulated(terms), part = started[0][1] ? Math.min(found[0][1] / started[0][1], 1) : 0;
    const miss = (row, level) => part * (facts.own[row][level] - started[row][level])
      + (1 - part) * (facts.without[row][level] - none[row][level]);
    return found.map((range, row) => range.map((value, level) => value + miss(row, level)));
  };

  // As on the rest of the page: England's deficit to what is known of it, other estimates to two figures.
  const words = ([low, , high], row) => {
    const step = facts.steps[row];
    const rounded = (pounds) => facts.england && Math.abs(pounds) >= 1e9
      ? Math.round(Math.abs(pounds) / step) * step : Number(Math.abs(pounds).toPrecision(2));
    const large = Math.max(rounded(low), rounded(high)) >= 1e9;
    const one = (pounds) => {
      const size = rounded(pounds), places = large || size < 1e7 ? 1 : 0;
      if (size < 5e4) return "£0";
      return `£${(size / (large ? 1e9 : 1e6)).toFixed(places)}${large ? "bn" : "m"}`;
    };
    const zero = one(0);
    if (one(low) === one(high) && (low < 0) === (high < 0)) return one(low) === zero ? "none" : one(low) + (high < 0 ? " surplus" : "");
    if (high <= 0) return `${one(high)} to ${one(low)} surplus`;
    return low < 0 && one(low) !== zero ? `${one(low)} surplus to ${one(high)} deficit` : `${one(low)} to ${one(high)}`;
  };

  const draw = () => {
    const limit = cap.value.trim() === "" ? null : Number(cap.value);
    if (cap.validity.badInput || !cap.validity.valid) return;
    panel.querySelector("output").textContent = `${share.value}%`;
    const now = apply({ share: Number(share.value), cap: limit });
    rows.forEach((row, place) => {
      row.querySelector("[data-now]").textContent = words(now[place], place);
      row.querySelector("[data-without]").textContent = words(facts.without[place], place);
    });
    byId("status").textContent = `${rows.at(-1).cells[0].textContent}: ${words(now.at(-1), now.length - 1)}`;
  };
  const reset = () => {
    share.value = own.share;
    cap.value = own.cap ?? "";
    draw();
  };
  for (const field of [share, cap]) field.addEventListener("input", draw);
  byId("reset").addEventListener("click", reset);
  reset();
  panel.hidden = false;
})();
