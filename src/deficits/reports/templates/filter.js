// A table's rows by words and by the values of its columns.
(() => {
  "use strict";
  for (const tools of document.querySelectorAll(".filter")) {
    const rows = [...document.getElementById(tools.dataset.table).tBodies[0].rows];
    const box = tools.querySelector("input"), choices = [...tools.querySelectorAll("select")], said = tools.querySelector("[role=status]");
    const cell = (row, choice) => row.cells[choice.dataset.column].textContent;
    for (const choice of choices) {
      for (const value of new Set(rows.map((row) => cell(row, choice)))) choice.append(new Option(value));
    }
    const show = () => {
      const asked = box.value.trim().toLowerCase();
      for (const row of rows) {
        row.hidden = !(row.textContent.toLowerCase().includes(asked) && choices.every((choice) => ["", cell(row, choice)].includes(choice.value)));
      }
      said.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} shown`;
    };
    tools.addEventListener("input", show);
    tools.hidden = false;
    show();
  }
})();
