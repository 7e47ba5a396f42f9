// @ts-check
// The folder's front page: says when it is past its date, searches and sorts its list, reads out the map's tiles.
(() => {
  "use strict";
  /** @template {HTMLElement} T @param {string} id @returns {T} */
  const byId = (id) => /** @type {any} */ (document.getElementById(id));

  // Past its date: what was right when this page was written may not be any more.
  const now = new Date(), two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const today = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  if (today > (document.body.dataset.due ?? "")) {
    document.body.classList.add("late");
    byId("late").hidden = false;
  }

  const table = /** @type {HTMLTableElement} */ (byId("councils"));
  const body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead?.rows[0].cells ?? []];
  const said = byId("matches"), box = /** @type {HTMLInputElement} */ (byId("search"));
  /** @type {Map<string | undefined, HTMLElement>} */
  const tiles = new Map();
  for (const tile of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".tiles li"))) {
    tiles.set(tile.dataset.a, tile);
  }

  // Search: what is typed must occur in what a row says; where no row says it as it stands, each word must.
  const plain = (/** @type {string} */ text) =>
    text.toLowerCase().replaceAll(/[.,'’]/g, "").replaceAll(/\s+/g, " ").trim();
  const texts = rows.map((row) => plain(`${row.textContent} ${row.dataset.l}`));
  const search = () => {
    const asked = plain(box.value);
    const words = texts.some((text) => text.includes(asked)) ? [asked] : asked.split(" ");
    let number = 0;
    rows.forEach((row, place) => {
      const fits = words.every((word) => texts[place].includes(word));
      row.hidden = !fits;
      tiles.get(row.dataset.a)?.classList.toggle("off", !fits);
      number += Number(fits);
    });
    said.textContent = asked ? `${number} of ${rows.length} councils match` : `${rows.length} councils`;
  };
  byId("tools").hidden = false;
  box.addEventListener("input", search);

  // Sort: a button in each heading. Cells without a value come last either way.
  /** @param {HTMLTableCellElement} head */
  const sort = (head) => {
    const numbers = head.dataset.kind === "number", was = head.getAttribute("aria-sort");
    const up = was ? was === "descending" : !numbers;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (/** @type {HTMLTableRowElement} */ row) => {
      const cell = row.cells[head.cellIndex];
      return cell.dataset.v ?? cell.textContent.trim();
    };
    const found = rows.map((row, place) => ({ row, place, of: value(row) }));
    found.sort((a, b) => {
      if (!a.of || !b.of) return Number(!a.of) - Number(!b.of) || a.place - b.place;
      const order = numbers ? Number(a.of) - Number(b.of) : a.of.localeCompare(b.of, "en-GB");
      return (up ? order : -order) || a.place - b.place;
    });
    body.append(...found.map(({ row }) => row));
  };
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head));
  }

  // The tile that is pointed at or in focus, in words beside the map.
  const readout = document.getElementById("readout");
  if (!readout) return;
  const tell = (/** @type {Event} */ event) => {
    const tile = /** @type {Element} */ (event.target).closest(".tiles li");
    if (tile) readout.textContent = /** @type {HTMLElement} */ (tile.firstElementChild).title;
  };
  readout.hidden = false;
  for (const map of document.querySelectorAll(".tiles")) {
    map.addEventListener("pointerover", tell);
    map.addEventListener("focusin", tell);
  }
})();
