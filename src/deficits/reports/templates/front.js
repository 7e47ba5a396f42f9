// The front page: says when it is past its date, finds councils by any of their names, sorts the table.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const today = new Date().toLocaleDateString("sv");
  if (today > document.body.dataset.due) {
    byId("late").hidden = false;
  }

  const table = byId("councils"), body = table.tBodies[0], rows = [...body.rows], heads = [...table.tHead.rows[0].cells];
  const box = byId("search"), found = byId("found"), said = byId("matches"), most = 8;
  const tiles = new Map([...document.querySelectorAll(".tiles li")].map((tile) => [tile.dataset.a, tile]));
  const plain = (text) => text.toLowerCase().replaceAll("&", " and ").replaceAll(/[.,'’]/g, "").replaceAll(/[-|\s]+/g, " ").trim();
  const texts = rows.map((row) => ` ${plain(`${row.cells[0].textContent} ${row.cells[3].textContent} ${row.dataset.names}`)}`);

  // "Kent County Council" is Kent: where nothing has the words typed, those that say nothing are left out of both.
  const drop = new Set(box.dataset.drop.split(" ")), short = (text) => plain(text).split(" ").filter((word) => !drop.has(word)).join(" ");

  // What is typed must occur in a council's name, region, districts, predecessors or short names.
  const search = () => {
    const typed = plain(box.value), whole = texts.some((text) => text.includes(typed && ` ${typed}`));
    const asked = whole ? typed : short(typed) || typed, fitting = [];
    rows.forEach((row, place) => {
      const fits = (whole ? texts[place] : ` ${short(texts[place])}`).includes(asked && ` ${asked}`);
      row.hidden = !fits;
      tiles.get(row.dataset.a)?.classList.toggle("off", !fits);
      if (fits) fitting.push(row);
    });
    said.textContent = asked ? `${fitting.length} of ${rows.length} councils match` : `${rows.length} councils`;
    found.replaceChildren(...(asked ? fitting.slice(0, most) : []).map((row) => {
      const item = document.createElement("li"), within = row.dataset.names.split("|").find((name) => plain(name).includes(asked));
      item.append(row.cells[0].firstChild.cloneNode(true), `: ${row.cells[1].textContent.trim()}`);
      if (within && !plain(row.cells[0].textContent).includes(asked)) item.append(` (${within})`);
      return item;
    }));
  };
  byId("tools").hidden = false;
  box.addEventListener("input", search);

  // A button in each heading. Cells without a value come last either way.
  const sort = (head) => {
    const numbers = head.dataset.kind === "number", was = head.getAttribute("aria-sort");
    const up = was ? was === "descending" : !numbers;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[head.cellIndex].dataset.v ?? row.cells[head.cellIndex].textContent.trim();
    const order = (a, b) => (numbers ? value(a) - value(b) : value(a).localeCompare(value(b), "en-GB")) * (up ? 1 : -1);
    const whole = rows.filter((row) => value(row)), empty = rows.filter((row) => !value(row));
    body.append(...whole.sort(order), ...empty);
  };
  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head));
  }
})();
