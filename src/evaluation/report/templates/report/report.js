"use strict";
// Long tables sort by a click or a key on a column's heading; without script they stay as printed.
(function () {
  var language = document.documentElement.lang;
  function key(row, place) {
    var cell = row.cells[place], data = cell.querySelector("data"), time = cell.querySelector("time");
    var text = cell.textContent.trim();
    if (data && !(time && time.compareDocumentPosition(data) & 4)) {
      return { number: Number(data.value), text: text };
    }
    return { number: /^\d{4}(-\d\d)*$/.test(text) ? Number(text.replace(/-/g, "")) : NaN, text: text };
  }
  function compare(a, b) {
    var missing = isNaN(a.number) - isNaN(b.number);
    if (!isNaN(a.number) && !isNaN(b.number)) { return a.number - b.number; }
    return missing || a.text.localeCompare(b.text, language, { numeric: true });
  }
  function sort(table, place, head) {
    var body = table.tBodies[0], down = head.getAttribute("aria-sort") === "ascending";
    var rows = Array.prototype.map.call(body.rows, function (row) { return [key(row, place), row]; });
    var numbers = rows.some(function (pair) { return !isNaN(pair[0].number); });
    rows.sort(function (a, b) {
      // What is missing stays last in either direction.
      if (numbers && isNaN(a[0].number) !== isNaN(b[0].number)) { return compare(a[0], b[0]); }
      return (down ? -1 : 1) * compare(a[0], b[0]);
    });
    rows.forEach(function (pair) { body.appendChild(pair[1]); });
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (cell) {
      cell.removeAttribute("aria-sort");
    });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  }
  document.querySelectorAll("table.sortable").forEach(function (table) {
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, place) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) { button.appendChild(head.firstChild); }
      button.addEventListener("click", function () { sort(table, place, head); });
      head.appendChild(button);
    });
  });
})();
