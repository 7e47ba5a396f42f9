// @ts-check
// The panel in which a reader moves the terms of a write-off. The arithmetic is that of deficits.writeoff.ledger for
// one flat share; tests hold it to the package's. In a page it starts by itself; in Node it is a module.
(() => {
  "use strict";

  /**
   * @typedef {object} Facts What the page holds besides the draws.
   * @property {number} unit £ of one step of a balance.
   * @property {number[]} years Year ends, that of the base date first.
   * @property {number} councils
   * @property {number} draws
   * @property {boolean} england Whether deficits are added up; else it is one council's balance.
   * @property {number} paid Financial year in which the grant is paid.
   * @property {number} at Part of that year that is gone when it is paid.
   * @property {number[]} covered Years whose growth can be covered, each paid for a year later.
   * @property {Terms} start
   */
  /** @typedef {Facts & {values: Int32Array[]}} Futures Balances in units: a row of draws by council, then year. */
  /**
   * @typedef {object} Terms share, cover and rate in per cent, cap in £m a council, null for none.
   * @property {number} share
   * @property {number | null} cap
   * @property {number} cover
   * @property {number} rate
   */
  /** @typedef {[number, number, number]} Range The 10th, 50th and 90th percentile, £. */
  /** @typedef {{grant: Range, left: Range, covered: Range, balance: Range[], interest: Range[]}} Numbers */

  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  /** @type {Readonly<Record<keyof Terms, readonly [number, number]>>} */
  const LIMITS = { share: [0, 100], cap: [0, 10000], cover: [0, 100], rate: [0, 10] };
  const NAMES = /** @type {(keyof Terms)[]} */ (Object.keys(LIMITS));
  const MARK = "#try?";
  const WAIT = 500; // ms without a move before the result is read out and put in the address

  /**
   * Balances from text: 6 bits a letter. Each row has 5 bits for its width, 24 for its least value, then the
   * draws above it. After the first year of a council come differences from the year before.
   * @param {string} text @param {Facts} facts @returns {Futures}
   */
  const unpack = (text, facts) => {
    const letters = new Uint8Array(128);
    for (let place = 0; place < DIGITS.length; place++) letters[DIGITS.charCodeAt(place)] = place;
    let next = 0, held = 0, bits = 0;
    /** @param {number} width @returns {number} */
    const read = (width) => {
      while (bits < width) {
        held = ((held << 6) | letters[text.charCodeAt(next++)]) & 0x3fffffff;
        bits += 6;
      }
      bits -= width;
      return (held >>> bits) & ((1 << width) - 1);
    };
    const values = [];
    for (let council = 0; council < facts.councils; council++) {
      for (let year = 0; year < facts.years.length; year++) {
        const row = new Int32Array(facts.draws);
        const before = year ? values[values.length - 1] : null;
        const width = read(5), least = (read(24) << 8) >> 8;
        for (let draw = 0; draw < row.length; draw++) {
          row[draw] = least + (width ? read(width) : 0) + (before ? before[draw] : 0);
        }
        values.push(row);
      }
    }
    return { ...facts, values };
  };

  /** As numpy has it: on a straight line between the two values about it. @param {Float64Array} values @returns {Range} */
  const range = (values) => {
    const sorted = values.slice().sort();
    const at = (/** @type {number} */ share) => {
      const place = share * (sorted.length - 1), below = Math.floor(place);
      const low = sorted[below], high = sorted[Math.min(below + 1, sorted.length - 1)];
      return low + (high - low) * (place - below);
    };
    return [at(0.1), at(0.5), at(0.9)];
  };

  /** What the terms do to every future. @param {Futures} futures @param {Terms} terms @returns {Numbers} */
  const apply = (futures, terms) => {
    const { years, draws, unit, values, england } = futures;
    const share = terms.share / 100, cover = terms.cover / 100, rate = terms.rate / 100;
    const cap = terms.cap === null ? Infinity : terms.cap * 1e6;
    const zeros = () => new Float64Array(draws);
    const grant = zeros(), left = zeros(), covered = zeros(), balance = years.map(zeros), interest = years.map(zeros);
    const isCovered = years.map((year) => futures.covered.includes(year));
    for (let council = 0; council < futures.councils; council++) {
      const rows = values.slice(council * years.length, (council + 1) * years.length);
      for (let draw = 0; draw < draws; draw++) {
        let before = rows[0][draw] * unit, opening = before;
        const deficit = Math.max(-before, 0), paid = Math.min(deficit * share, cap);
        grant[draw] += paid;
        left[draw] += deficit - paid;
        // Credited from its date on, added to the balance once it is paid, due in the year after.
        let credited = paid, added = 0, due = 0;
        for (let year = 1; year < years.length; year++) {
          const without = rows[year][draw] * unit;
          const moved = due + (years[year] === futures.paid ? paid : 0);
          added += moved;
          due = 0;
          const closing = without + added;
          const average = (opening + closing) / 2 + (0.5 - futures.at) * moved;
          interest[year][draw] += rate * Math.max(-average, 0);
          balance[year][draw] += england ? Math.max(-closing, 0) : closing;
          if (isCovered[year]) {
            const room = Math.max(-(without + credited), 0);
            due = cover * Math.min(Math.max(before - without, 0), room);
            credited += due;
            covered[draw] += due;
          }
          before = without;
          opening = closing;
        }
      }
    }
    return {
      grant: range(grant), left: range(left), covered: range(covered),
      balance: balance.slice(1).map(range), interest: interest.slice(1).map(range),
    };
  };

  /** Money in words, both ends in the unit of the larger. @param {number} low @param {number} high */
  const money = (low, high) => {
    const large = Math.max(Math.abs(low), Math.abs(high)) >= 999.95e6;
    const one = (/** @type {number} */ pounds) =>
      `£${(Math.abs(pounds) / (large ? 1e9 : 1e6)).toFixed(large ? 2 : 1)}${large ? "bn" : "m"}`;
    if (Math.max(Math.abs(low), Math.abs(high)) < 0.05e6) return "nothing";
    if (one(low) === one(high)) return one(low);
    return one(low) === one(0) ? `up to ${one(high)}` : `${one(low)} to ${one(high)}`;
  };

  /** A deficit in words, from its least to its largest; below zero it is a surplus. @param {number} low @param {number} high */
  const deficitWords = (low, high) => {
    if (high <= 0) return money(-high, -low) + (low < -0.05e6 ? " surplus" : "");
    return low < -0.05e6 ? `${money(-low, -low)} surplus to ${money(high, high)} deficit` : money(Math.max(low, 0), high);
  };

  /** What an address asks for, and what of it cannot be used. @param {string} hash @param {Terms} start */
  const fromHash = (hash, start) => {
    const terms = { ...start };
    /** @type {string[]} */
    const faults = [];
    for (const [name, text] of new URLSearchParams(hash.slice(MARK.length))) {
      const known = NAMES.find((each) => each === name);
      if (!known) { faults.push(`“${name}” is none of ${NAMES.join(", ")}`); continue; }
      if (known === "cap" && text === "none") { terms.cap = null; continue; }
      const [least, most] = LIMITS[known], value = text.trim() === "" ? NaN : Number(text);
      if (value >= least && value <= most) terms[known] = value;
      else faults.push(`${name} is “${text}”, not a number from ${least} to ${most}`);
    }
    return { terms, faults };
  };

  /** @param {Terms} terms */
  const toHash = (terms) => MARK + NAMES.map((name) => `${name}=${terms[name] ?? "none"}`).join("&");

  /** Bring the panel of a page to life. @param {Document} page */
  const start = (page) => {
    const panel = /** @type {HTMLElement | null} */ (page.querySelector(".live"));
    if (!panel) return;
    /** @template {HTMLElement} T @param {string} name @returns {T} */
    const part = (name) => /** @type {any} */ (page.getElementById(`live-${name}`));
    /** @type {Facts} */
    const facts = JSON.parse(panel.dataset.facts || "");
    const futures = unpack(panel.dataset.draws || "", facts);
    const cap = /** @type {HTMLInputElement} */ (part("cap")), told = part("told"), fault = part("cap-fault");
    const sliders = NAMES.filter((name) => name !== "cap" && part(name));
    let terms = { ...facts.start }, timer = 0;

    const base = apply(futures, { share: 0, cap: null, cover: 0, rate: 0 });
    /** The low end of a deficit is the high end of a balance. @param {Range} of @returns {Range} */
    const asDeficit = (of) => facts.england ? of : [-of[2], -of[1], -of[0]];
    const most = Math.max(...base.balance.flatMap(asDeficit), 1), least = Math.min(...base.balance.flatMap(asDeficit), 0);

    /** A range into a cell of the table. @param {string} name @param {Range} of @param {boolean} isBalance */
    const put = (name, of, isBalance) => {
      const cell = part(name);
      const [low, middle, high] = isBalance ? asDeficit(of) : of;
      const words = /** @type {HTMLElement} */ (cell.firstElementChild);
      words.textContent = (isBalance ? deficitWords : money)(low, high);
      const copy = part(`now-${name}`);
      if (copy) copy.textContent = words.textContent;
      // For a program that reads the page: £m, a balance below zero a deficit.
      ["p10", "p50", "p90"].forEach((each, place) => { cell.dataset[each] = (of[place] / 1e6).toFixed(1); });
      if (!isBalance) return;
      const place = (/** @type {number} */ pounds) =>
        100 * Math.min(Math.max((pounds - least) / (most - least), 0), 1);
      const bar = /** @type {HTMLElement} */ (cell.lastElementChild).style;
      bar.setProperty("--low", `${place(low)}%`);
      bar.setProperty("--high", `${place(high)}%`);
      bar.setProperty("--middle", `${place(middle)}%`);
    };

    const draw = () => {
      for (const name of sliders) {
        const slider = /** @type {HTMLInputElement} */ (part(name)), value = Number(terms[name]);
        const words = `${name === "rate" ? value.toFixed(2) : value}%`;
        if (Number(slider.value) !== value) slider.value = String(value);
        slider.setAttribute("aria-valuetext", words);
        part(`${name}-value`).textContent = words;
      }
      const now = apply(futures, terms), without = apply(futures, { ...terms, share: 0, cover: 0 });
      for (const [side, found] of /** @type {[string, Numbers][]} */ ([["with", now], ["without", without]])) {
        put(`grant-${side}`, found.grant, false);
        put(`left-${side}`, found.left, false);
        if (facts.covered.length) put(`covered-${side}`, found.covered, false);
        facts.years.slice(1).forEach((year, place) => {
          put(`balance-${year}-${side}`, found.balance[place], true);
          put(`interest-${year}-${side}`, found.interest[place], false);
        });
      }
      return now;
    };

    /** @param {Numbers} now */
    const summary = (now) => {
      const last = now.balance.length - 1, of = asDeficit(now.balance[last]);
      return `Grant ${money(now.grant[0], now.grant[2])}. Deficit at 31 March ${facts.years[last + 1]} ` +
        `${deficitWords(of[0], of[2])}. Ranges hold 8 in 10 simulated futures.`;
    };

    const moved = () => {
      const now = draw();
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        part("status").textContent = summary(now);
        // Not in the history: going back leaves the page. Where a page may not, the panel works without.
        try { history.replaceState(null, "", toHash(terms)); } catch { /* no address to share */ }
      }, WAIT);
    };

    const sayCap = (/** @type {string} */ words) => {
      fault.textContent = words;
      fault.hidden = !words;
      if (words) cap.setAttribute("aria-invalid", "true"); else cap.removeAttribute("aria-invalid");
    };
    for (const name of sliders) {
      const slider = /** @type {HTMLInputElement} */ (part(name));
      slider.addEventListener("input", () => { terms = { ...terms, [name]: Number(slider.value) }; moved(); });
    }
    cap.addEventListener("input", () => {
      const value = cap.value.trim() === "" ? null : Number(cap.value);
      const [low, high] = LIMITS.cap;
      // A browser gives no value for what is no number.
      if (cap.validity.badInput || (value !== null && !(value >= low && value <= high))) {
        sayCap(`Give £m from ${low} to ${high}, or nothing for no limit. The result is still that of ` +
          `${terms.cap === null ? "no limit" : `£${terms.cap}m`}.`);
        return;
      }
      sayCap("");
      terms = { ...terms, cap: value };
      moved();
    });

    /** @param {Terms} asked */
    const take = (asked) => {
      terms = asked;
      cap.value = terms.cap === null ? "" : String(terms.cap);
      sayCap("");
    };
    part("reset").addEventListener("click", () => {
      told.hidden = true;
      take({ ...facts.start });
      moved();
    });

    /** Terms from the address, where it holds any. @returns {boolean} */
    const follow = () => {
      if (!location.hash.startsWith(MARK)) return false;
      const { terms: asked, faults } = fromHash(location.hash, facts.start);
      take(asked);
      told.hidden = !faults.length;
      told.textContent = faults.length
        ? `The address could not be used in full: ${faults.join("; ")}. The panel starts from its own value there.` : "";
      return true;
    };
    window.addEventListener("hashchange", () => { if (follow()) draw(); });
    const asked = follow();
    draw();
    panel.hidden = false;
    listed(page, panel);
    if (asked) {
      const heading = /** @type {HTMLElement} */ (page.getElementById("try"));
      heading.scrollIntoView();
      heading.focus({ preventScroll: true });
    }
  };

  /** Put the panel into the page's list of contents, before the section that follows it. @param {Document} page @param {Element} panel */
  const listed = (page, panel) => {
    const links = /** @type {HTMLAnchorElement[]} */ ([...page.querySelectorAll(".contents ol a")]);
    const after = links.find((link) => {
      const target = page.getElementById(link.hash.slice(1));
      return target && panel.compareDocumentPosition(target) & Node.DOCUMENT_POSITION_FOLLOWING;
    });
    const item = page.createElement("li"), link = page.createElement("a");
    link.href = "#try";
    link.textContent = /** @type {HTMLElement} */ (page.getElementById("try")).textContent;
    item.append(link);
    const list = page.querySelector(".contents ol");
    if (list) list.insertBefore(item, after ? after.parentElement : null);
  };

  if (typeof module === "object") module.exports = { unpack, range, apply, money, deficitWords, fromHash, toHash };
  else start(document);
})();
