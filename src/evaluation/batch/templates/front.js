"use strict";
/* The front page's behaviour. Every text and number comes ready from the page, save differences
   of two chosen regions; nothing is loaded, and nothing is written but into this page. */
(() => {
  const MOST = 4, Z = 1.959963984540054, SVG = "http://www.w3.org/2000/svg";
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  let language = "zh";
  let chosen = [];
  let sorted = null;

  const say = (name, values = {}) =>
    data.words[name][language].replace(/\{(\w+)\}/g, (_, place) => values[place] ?? "");
  const short = (key) => data.rows[key].short[language];
  const joined = (parts) => parts.join(language === "zh" ? "、" : ", ");
  const fixed = (value) => {
    const text = Math.abs(value).toFixed(1);
    return value < 0 && Number(text) !== 0 ? `−${text}` : text;
  };
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const draw = (tag, attributes, text = "") => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };

  /* Language: remembered where the browser lets a page of this kind remember. */
  const remembered = () => { try { return localStorage.getItem("kepu-language"); } catch { return null; } };
  const remember = () => { try { localStorage.setItem("kepu-language", language); } catch { return; } };
  function speak(next) {
    language = next;
    root.classList.remove("zh", "en");
    root.classList.add(next);
    root.lang = next === "zh" ? "zh-CN" : "en";
    document.title = document.title.replace(/^.*?( \(|$)/, `${say("title")}$1`);
    for (const button of all("[data-language]")) button.setAttribute("aria-pressed", button.dataset.language === next);
    for (const element of all("[data-label-zh]")) element.setAttribute("aria-label", next === "zh" ? element.dataset.labelZh : element.dataset.labelEn);
    all(".place").forEach(name);
    list();
    compare();
  }

  /* Table: search, level, order. Missing values stay last in either direction. */
  function list() {
    const sought = byId("search").value.trim().toLowerCase();
    const level = document.querySelector("input[name=level]:checked")?.value ?? "";
    const rows = all("#table tbody tr");
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(row.dataset.sought.includes(sought) && (!level || row.dataset.level === level));
      shown += !row.hidden;
    }
    const parts = [shown ? say("count", { shown, all: rows.length }) : say("nomatch")];
    if (sorted) {
      const head = document.querySelector(`th[data-column="${sorted.column}"]`);
      const title = all(".t", head).find((part) => part.lang.startsWith(language)).textContent;
      parts.push(say(sorted.direction > 0 ? "sort.up" : "sort.down", { column: title }));
    }
    byId("status").textContent = parts.join(language === "zh" ? "" : " ");
  }
  function order(row, column) {
    if (column === "name") return language === "zh" ? row.dataset.zh : row.dataset.en;
    const value = row.querySelector(`td.${column}`).dataset.order;
    return value === undefined ? null : Number(value);
  }
  function sort(column) {
    const again = sorted?.column === column;
    const first = column === "name" || column === "target" ? 1 : -1;
    sorted = { column, direction: again ? -sorted.direction : first };
    const names = new Intl.Collator(language === "zh" ? "zh-CN" : "en");
    const rows = all("#table tbody tr").map((row) => [order(row, column), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sorted.direction * (typeof a === "string" ? names.compare(a, b) : a - b);
    });
    document.querySelector("#table tbody").append(...rows.map(([, row]) => row));
    for (const head of all("th[data-column]")) {
      const state = sorted.direction > 0 ? "ascending" : "descending";
      head.setAttribute("aria-sort", head.dataset.column === column ? state : "none");
    }
    list();
  }

  /* Maps: paint by measure; arrow keys move over the tiles, which are one stop of the Tab key. */
  function name(place) {
    const { nameZh, nameEn, wordsZh, wordsEn } = place.dataset;
    place.setAttribute("aria-label", language === "zh" ? `${nameZh}：${wordsZh}` : `${nameEn}: ${wordsEn}`);
  }
  function paint(measure) {
    for (const list of all("[data-legend]")) list.hidden = list.dataset.legend !== measure;
    for (const place of all(".place[data-key]")) {
      const [kind, hatched, mark, words] = data.paint[measure][place.dataset.code];
      const ground = place.querySelector(".ground");
      (ground ?? place).dataset.kind = kind;
      if (ground) place.querySelector(".over").setAttribute("visibility", hatched ? "visible" : "hidden");
      else {
        place.classList.toggle("hatched", hatched);
        place.querySelector(".mark").textContent = mark;
      }
      place.dataset.wordsZh = words.zh;
      place.dataset.wordsEn = words.en;
      name(place);
    }
    show("");
  }
  function show(text) {
    byId("told").textContent = text;
    byId("told").hidden = !text;
    byId("hint").hidden = Boolean(text);
  }
  const tell = (event) => {
    const place = event.target.closest?.(".place");
    if (place) show(place.getAttribute("aria-label"));
  };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function move(event) {
    const here = event.target.closest?.(".place[data-key]");
    if (!here) return;
    if (here instanceof SVGElement && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      pick(here.dataset.key);
    }
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    const [dx, dy] = ARROWS[event.key];
    const centre = (place) => { const box = place.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = centre(here);
    let best = null, least = Infinity;
    for (const place of all(".place[data-key]", here.parentElement)) {
      const [px, py] = centre(place);
      const ahead = (px - x) * dx + (py - y) * dy;
      const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (ahead > 1 && ahead + 2.5 * aside < least) { best = place; least = ahead + 2.5 * aside; }
    }
    if (best) { rove(best); best.focus(); }
  }
  function rove(place) {
    for (const other of all(".place[data-key]", place.parentElement)) other.setAttribute("tabindex", other === place ? "0" : "-1");
  }

  /* Comparison: at most four regions, their results beside each other and over each other. */
  function pick(key) {
    if (chosen.includes(key)) chosen = chosen.filter((other) => other !== key);
    else if (chosen.length < MOST) chosen.push(key);
    else {
      byId("status").textContent = say("compare.full");
      show(say("compare.full"));
    }
    mark();
    compare();
  }
  function mark() {
    for (const box of all("#table input[type=checkbox]")) box.checked = chosen.includes(box.value);
    for (const place of all(".place[data-key]")) place.setAttribute("aria-pressed", chosen.includes(place.dataset.key));
  }
  function compare() {
    byId("compare").hidden = byId("tray").hidden = !chosen.length;
    byId("chosen").replaceChildren(...chosen.map((key) => {
      const button = make("button", { type: "button", "aria-label": say("compare.remove", { region: short(key) }) }, `${short(key)} ×`);
      button.addEventListener("click", () => { pick(key); focusAfter(); });
      return button;
    }));
    const into = byId("compared");
    if (!chosen.length) return into.replaceChildren();
    const wrap = make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": say("compare.table") }, table());
    into.replaceChildren(chart(), ...differences(), wrap);
  }
  const focusAfter = () => (document.querySelector("#chosen button") ?? byId("search")).focus();
  function table() {
    const head = make("tr", {}, make("td"), ...chosen.map((key) => make("th", { scope: "col" }, short(key))));
    const body = make("tbody");
    const lines = new Map(chosen.flatMap((key) => Object.entries(data.rows[key].lines).map(([id, line]) => [id, line.name])));
    for (const [id, title] of lines) {
      const texts = chosen.map((key) => data.rows[key].lines[id]?.text[language] ?? "—");
      body.append(make("tr", {}, make("th", { scope: "row" }, title[language]), ...texts.map((text) => make("td", {}, text))));
    }
    const waves = [...new Set(chosen.flatMap((key) => data.rows[key].rates.map((rate) => rate.wave)))].sort();
    for (const wave of waves) {
      const texts = chosen.map((key) => data.rows[key].rates.find((rate) => rate.wave === wave)?.text[language] ?? "—");
      body.append(make("tr", {}, make("th", { scope: "row" }, say("wave", { year: wave })), ...texts.map((text) => make("td", {}, text))));
    }
    return make("table", {}, make("caption", {}, say("compare.table")), make("thead", {}, head), body);
  }
  function differences() {
    const items = [];
    chosen.forEach((one, i) => chosen.slice(i + 1).forEach((other) => items.push(make("li", {}, difference(one, other)))));
    return items.length ? [make("ul", { class: "differences" }, ...items)] : [];
  }
  function difference(one, other) {
    const known = (key) => data.rows[key].rates.filter((rate) => rate.se !== null);
    const pairs = known(one).flatMap((a) => known(other).filter((b) => b.wave === a.wave).map((b) => [a, b]));
    if (!pairs.length || data.rows[one].simulated !== data.rows[other].simulated) return say("compare.never", { a: short(one), b: short(other) });
    const [a, b] = pairs.reduce((last, next) => (next[0].wave > last[0].wave ? next : last));
    const gap = a.value - b.value, half = Z * Math.hypot(a.se, b.se), year = a.wave;
    if (Math.abs(gap) <= half) return say("compare.near", { year, a: short(one), b: short(other), gap: fixed(gap), low: fixed(gap - half), high: fixed(gap + half) });
    const [upper, lower] = gap > 0 ? [one, other] : [other, one], size = Math.abs(gap);
    return say("compare.higher", { year, a: short(upper), b: short(lower), gap: fixed(size), low: fixed(size - half), high: fixed(size + half) });
  }
  function chart() {
    const rows = chosen.map((key) => data.rows[key]);
    const drawn = rows.filter((row) => row.rates.length);
    if (!drawn.length) return make("p", {}, "");
    const alike = rows.every((row) => row.simulated === rows[0].simulated);
    const nation = alike ? rows[0].nation : [];
    const points = [...drawn.flatMap((row) => row.rates), ...nation];
    const years = [...new Set(points.map((point) => point.wave))].sort((a, b) => a - b);
    const top = 1.05 * Math.max(...points.map((point) => point.high ?? point.value));
    const W = Math.max(280, Math.min(820, byId("compared").clientWidth || 820)), H = Math.round(Math.min(360, 180 + W / 4));
    const L = 36, R = W < 560 ? 118 : 150, T = 14, B = 28;
    const x = (year) => L + (W - L - R) * (years.length > 1 ? (year - years[0]) / (years.at(-1) - years[0]) : 0.5);
    const y = (value) => H - B - (H - T - B) * value / top;
    const svg = draw("svg", { class: "chart", role: "img", width: W, height: H, viewBox: `0 0 ${W} ${H}`, "aria-label": say("compare.chart", { regions: joined(chosen.map(short)) }) });
    const step = top > 20 ? 10 : top > 8 ? 5 : 2;
    for (let tick = 0; tick <= top; tick += step) {
      svg.append(draw("line", { class: "grid", x1: L, x2: W - R, y1: y(tick), y2: y(tick) }), draw("text", { x: L - 6, y: y(tick) + 4, "text-anchor": "end" }, `${tick}%`));
    }
    let last = Infinity;
    for (const year of [...years].reverse()) {
      if (last - x(year) < 34) continue;
      last = x(year);
      svg.append(draw("text", { x: last, y: H - 8, "text-anchor": "middle" }, year));
    }
    for (const year of rows[0].breaks) {
      if (year > years[0] && year <= years.at(-1)) svg.append(draw("line", { class: "break", x1: x(year - 0.5), x2: x(year - 0.5), y1: T, y2: H - B }));
    }
    const labels = [];
    const segments = (list, kind, shift, breaks) => list.slice(1).forEach((point, i) => {
      const broken = breaks.some((year) => list[i].wave < year && year <= point.wave) ? " broken" : "";
      svg.append(draw("path", { class: kind + broken, d: `M${x(list[i].wave) + shift} ${y(list[i].value)}L${x(point.wave) + shift} ${y(point.value)}` }));
    });
    if (nation.length) {
      segments(nation, "nation", 0, rows[0].breaks);
      labels.push({ y: y(nation.at(-1).value), text: data.nation[language], mark: null });
    }
    rows.forEach((row, i) => {
      if (!row.rates.length) return;
      const shift = 4 * (i - (rows.length - 1) / 2), group = `s${i}`;
      const start = svg.childNodes.length;
      segments(row.rates, "line", shift, row.breaks);
      for (const point of row.rates) {
        const px = x(point.wave) + shift;
        if (point.low !== null) svg.append(draw("line", { class: "whisker", x1: px, x2: px, y1: y(point.low), y2: y(point.high) }));
        svg.append(symbol(i, px, y(point.value)));
      }
      [...svg.childNodes].slice(start).forEach((node) => node.classList.add(group));
      labels.push({ y: y(row.rates.at(-1).value), text: row.short[language], mark: i });
    });
    labels.sort((a, b) => a.y - b.y);
    labels.forEach((one, i) => { if (i) one.y = Math.max(one.y, labels[i - 1].y + 17); });
    const over = Math.max(0, labels.at(-1).y - (H - B));
    for (const one of labels) {
      one.y -= over;
      if (one.mark !== null) { const sign = symbol(one.mark, W - R + 14, one.y); sign.classList.add(`s${one.mark}`); svg.append(sign); }
      else svg.append(draw("line", { class: "nation", x1: W - R + 8, x2: W - R + 20, y1: one.y, y2: one.y }));
      svg.append(draw("text", { class: "label", x: W - R + 26, y: one.y + 4.5 }, one.text));
    }
    return svg;
  }
  /* A shape beside each colour, for those who don't tell the colours. */
  function symbol(i, x, y) {
    const shapes = [
      () => draw("circle", { cx: x, cy: y, r: 4 }),
      () => draw("rect", { x: x - 3.6, y: y - 3.6, width: 7.2, height: 7.2 }),
      () => draw("path", { d: `M${x} ${y - 5}L${x + 4.6} ${y + 3.4}H${x - 4.6}Z` }),
      () => draw("path", { d: `M${x} ${y - 5}L${x + 5} ${y}L${x} ${y + 5}L${x - 5} ${y}Z` }),
    ];
    const shape = shapes[i]();
    shape.classList.add("point");
    return shape;
  }

  for (const button of all("[data-language]")) {
    button.addEventListener("click", () => { speak(button.dataset.language); remember(); });
  }
  byId("search").addEventListener("input", list);
  for (const radio of all("input[name=level]")) radio.addEventListener("change", list);
  for (const button of all("th[data-column] button")) button.addEventListener("click", () => sort(button.closest("th").dataset.column));
  for (const radio of all("input[name=measure]")) radio.addEventListener("change", () => paint(radio.value));
  for (const box of all("#table input[type=checkbox]")) box.addEventListener("change", () => pick(box.value));
  for (const map of all(".tiles, .shapes")) {
    map.addEventListener("click", (event) => {
      const place = event.target.closest(".place[data-key]");
      if (place) { rove(place); pick(place.dataset.key); }
    });
    for (const kind of ["pointerover", "focusin"]) map.addEventListener(kind, tell);
    map.addEventListener("keydown", move);
    map.querySelector(".place[data-key]")?.setAttribute("tabindex", "0");
  }
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; compare(); } });
  byId("clear").addEventListener("click", () => { chosen = []; mark(); compare(); byId("search").focus(); });
  document.querySelector(".go").addEventListener("click", () => byId("compare-title").focus());
  speak(remembered() ?? (navigator.language.startsWith("zh") ? "zh" : "en"));
  const measure = document.querySelector("input[name=measure]:checked");
  if (measure) paint(measure.value);
  mark();
})();
