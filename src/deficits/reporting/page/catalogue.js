(function () {
  "use strict";
  var byId = function (id) { return document.getElementById(id); };
  var each = function (found, use) { Array.prototype.forEach.call(found, use); };

  // Past its date: what was right when this page was written may not be any more.
  var now = new Date();
  var two = function (number) { return ("0" + number).slice(-2); };
  var today = now.getFullYear() + "-" + two(now.getMonth() + 1) + "-" + two(now.getDate());
  if (today > document.body.getAttribute("data-due")) {
    document.body.className += " late";
    byId("late").hidden = false;
  }

  var table = byId("councils");
  var body = table.tBodies[0];
  var rows = Array.prototype.slice.call(body.rows);
  var said = byId("matches");
  var box = byId("search");
  var tiles = {};
  each(document.querySelectorAll(".tiles li"), function (tile) { tiles[tile.getAttribute("data-a")] = tile; });

  // Search: what is typed must occur in what a row says; where no row says it as it stands, each word must.
  var plain = function (text) { return text.toLowerCase().replace(/[.,'’]/g, "").replace(/\s+/g, " ").trim(); };
  var texts = rows.map(function (row) { return plain(row.textContent + " " + row.getAttribute("data-l")); });
  var search = function () {
    var asked = plain(box.value);
    var whole = texts.some(function (text) { return text.indexOf(asked) >= 0; });
    var words = whole ? [asked] : asked.split(" ");
    var number = 0;
    rows.forEach(function (row, place) {
      var fits = words.every(function (word) { return texts[place].indexOf(word) >= 0; });
      row.hidden = !fits;
      tiles[row.getAttribute("data-a")].className = fits ? "" : "off";
      number += fits ? 1 : 0;
    });
    said.textContent = asked ? number + " of " + rows.length + " councils match" : rows.length + " councils";
  };
  byId("tools").hidden = false;
  box.addEventListener("input", search);

  // Sort: a button in each heading. Cells without a value come last either way.
  var heads = table.tHead.rows[0].cells;
  var value = function (row, column) {
    var cell = row.cells[column];
    return cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent.trim();
  };
  var sort = function (column) {
    var head = heads[column];
    var numbers = head.getAttribute("data-kind") === "number";
    var was = head.getAttribute("aria-sort");
    var up = was ? was === "descending" : !numbers;
    each(heads, function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    rows.map(function (row, place) { return [value(row, column), place, row]; }).sort(function (a, b) {
      if (!a[0] || !b[0]) { return (a[0] ? 0 : 1) - (b[0] ? 0 : 1) || a[1] - b[1]; }
      var order = numbers ? a[0] - b[0] : a[0].localeCompare(b[0], "en-GB");
      return (up ? order : -order) || a[1] - b[1];
    }).forEach(function (found) { body.appendChild(found[2]); });
  };
  each(heads, function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) { button.appendChild(head.firstChild); }
    head.appendChild(button);
    button.addEventListener("click", function () { sort(column); });
  });

  // The tile that is pointed at or in focus, in words beside the map.
  var readout = byId("readout");
  if (!readout) { return; }
  var tell = function (event) {
    var tile = event.target.closest(".tiles li");
    if (tile) { readout.textContent = tile.firstElementChild.title; }
  };
  readout.hidden = false;
  each(document.querySelectorAll(".tiles"), function (map) {
    map.addEventListener("pointerover", tell);
    map.addEventListener("focusin", tell);
  });
})();
