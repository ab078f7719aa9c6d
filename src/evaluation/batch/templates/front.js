"use strict";
/* The front page's behaviour. Regions are compact records, drawn a piece at a time; every text and
   number comes ready from the page, save differences of two chosen regions. Nothing is loaded, and
   nothing is written but into this page. */
(() => {
  const MOST = 4, PIECE = 48, MATCHES = 6, ENDS = 10, Z = 1.959963984540054, SVG = "http://www.w3.org/2000/svg";
  const SPARK = { width: 140, height: 46, edge: 4 };
  const data = JSON.parse(document.getElementById("data").textContent);
  const named = (names, values) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
  const surveys = (list) => list.map((values) => named(["wave", "value", "se", "low", "high"], values));
  const wholes = data.wholes.map(([rates, breaks]) => ({ nation: surveys(rates), breaks }));
  const rows = data.rows.map((values, key) => {
    const row = named(data.fields, values);
    const sought = [row.code, ...row.names, ...row.short].join(" ").toLowerCase();
    return { ...row, ...wholes[row.whole], key: String(key), rates: surveys(row.rates), sought };
  });
  const columns = Object.keys(data.columns);
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  let language = "zh";
  let chosen = [];
  let sorted = null;
  let listed = rows;

  const side = () => (language === "zh" ? 0 : 1);
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, place) => values[place] ?? "");
  const say = (name, values = {}) => filled(data.words[name][language], values);
  const text = ([form, ...numbers]) => filled(data.forms[form][side()], numbers);
  const short = (key) => rows[key].short[side()];
  const joined = (parts) => parts.join(language === "zh" ? "、" : ", ");
  const fixed = (value) => {
    const shown = Math.abs(value).toFixed(1);
    return value < 0 && Number(shown) !== 0 ? `−${shown}` : shown;
  };
  const signed = (value) => (fixed(value) !== "0.0" && value > 0 ? "+" : "") + fixed(value);
  const rated = (rate) => (rate.low === null ? say("rate.bare", rate) : say("rate", { value: rate.value, low: fixed(rate.low), high: fixed(rate.high) }));
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
    dots();
    list();
    compare();
  }

  /* Table: search, level, order; a piece of it is drawn. Missing values stay last in either direction. */
  function list() {
    const sought = (byId("search")?.value ?? "").trim().toLowerCase();
    const level = document.querySelector("input[name=level]:checked")?.value ?? "";
    listed = rows.filter((row) => row.sought.includes(sought) && (!level || data.levels[row.level] === level));
    if (sorted) arrange();
    const parts = [listed.length ? say("count", { shown: listed.length, all: rows.length }) : say("nomatch")];
    if (sorted) parts.push(say(sorted.direction > 0 ? "sort.up" : "sort.down", { column: heading(sorted.column) }));
    if (!byId("status")) return;
    byId("status").textContent = sought || level || sorted ? parts.join(language === "zh" ? "" : " ") : "";
    byId("found").hidden = !sought || !listed.length;
    byId("found").replaceChildren(...(sought ? listed.slice(0, MATCHES) : []).map((row) => make("li", {}, title(row), " ", line(row))));
    document.querySelector("#table tbody").replaceChildren();
    extend(PIECE);
  }
  function extend(count) {
    const body = document.querySelector("#table tbody"), start = body.childElementCount;
    body.append(...listed.slice(start, start + count).map(draft));
    const rest = Math.min(5 * PIECE, listed.length - body.childElementCount);
    byId("more").hidden = rest <= 0;
    byId("more").textContent = say("more", { count: rest });
  }
  const heading = (column) => all(".t", document.querySelector(`th[data-column="${column}"]`)).find((part) => part.lang.startsWith(language)).textContent;
  const order = (row, column) => row.cells[columns.indexOf(column)][0];
  /* The places of all names in the order of a language, worked out once. */
  const places = {};
  function alphabet() {
    if (!places[language]) {
      const { compare } = new Intl.Collator(language === "zh" ? "zh-CN" : "en");
      const at = side(), found = [...rows].sort((a, b) => compare(a.names[at], b.names[at]));
      places[language] = Object.fromEntries(found.map((row, place) => [row.key, place]));
    }
    return places[language];
  }
  function arrange() {
    const { column, direction } = sorted;
    const known = column === "name" ? alphabet() : null;
    const value = (row) => (known ? known[row.key] : order(row, column));
    listed.sort((one, other) => {
      const a = value(one), b = value(other);
      return a === null || b === null ? (a === null) - (b === null) : direction * (a - b);
    });
  }
  function sort(column) {
    const first = column === "name" || column === "target" ? 1 : -1;
    sorted = { column, direction: sorted?.column === column ? -sorted.direction : first };
    for (const head of all("th[data-column]")) {
      const state = sorted.direction > 0 ? "ascending" : "descending";
      head.setAttribute("aria-sort", head.dataset.column === column ? state : "none");
    }
    list();
  }
  const linked = (row) => data.files[row.files].map(([tongue, name, href]) => [tongue, name, href.replaceAll("*", encodeURIComponent(row.code))]);
  /* A region's name leads to its first file in the reader's language. */
  function title(row) {
    const files = linked(row), [, , href] = files.find(([tongue]) => tongue === language) ?? files[0] ?? [];
    const name = make("bdi", {}, row.names[side()]);
    return href ? make("a", { href }, name) : name;
  }
  /* The whole of a region in one line: share, year, difference from the whole. */
  function line(row) {
    const last = row.rates.at(-1), [kind, hatched] = data.kinds[row.kind] ?? ["none", false];
    const parts = last ? [`${last.value}% ${last.wave}`] : [text(row.cells[0][1])];
    if (row.dot && data.first === "gap") parts.push(make("b", { "data-kind": kind, class: hatched ? "hatched" : "" }, signed(row.dot[0])));
    return make("span", { class: "line" }, ...parts.flatMap((part) => [part, " "]));
  }
  function draft(row) {
    const label = (name) => ({ "data-head": name });
    const box = make("input", { type: "checkbox", value: row.key });
    box.checked = chosen.includes(row.key);
    const cells = row.cells.map(([order, main, beside], i) => {
      const cell = make("td", { role: "cell", class: columns[i], ...label(data.columns[columns[i]][language]) }, make("span", { class: order === null ? "main none" : "main" }, text(main)));
      if (order !== null) cell.dataset.order = order;
      if (beside) cell.append(make("span", { class: "beside" }, text(beside)));
      return cell;
    });
    cells.splice(1, 0, make("td", { role: "cell", class: "trend", ...label(say("column.trend")) }, spark(row) ?? "—"));
    const more = make("button", { type: "button", class: "details", "aria-expanded": "false", "aria-label": say("details", { region: short(row.key) }) }, "▾");
    const flag = row.simulated ? [" ", make("span", { class: "flag" }, say("simulated.flag"))] : [];
    const name = make("th", { role: "rowheader", scope: "row", class: "name" }, title(row), ...flag, make("span", { class: "beside" }, make("code", {}, row.code)));
    return make("tr", { role: "row", "data-key": row.key },
      make("td", { role: "cell", class: "pick" }, make("label", {}, box, make("span", { class: "hidden" }, say("compare.pick", { region: short(row.key) })))),
      name, make("td", { role: "cell", class: "short" }, line(row), more), ...cells,
      make("td", { role: "cell", class: "reports", ...label(say("column.reports")) }, ...reports(row)));
  }
  /* Files in the reader's language; in another where there are none in it. */
  function reports(row) {
    const found = all("[data-language]").map((button) => {
      const tongue = button.dataset.language;
      const links = linked(row).filter(([own]) => own === tongue).map(([, name, href]) => make("a", { href, hreflang: tongue }, name));
      if (row.failed.includes(tongue)) links.push(make("a", { class: "bad", href: "#failed" }, say("failed.short")));
      const other = tongue === language ? [] : [make("span", { class: "tongue" }, button.textContent)];
      return [tongue, links.length, make("span", { class: "files", lang: button.lang }, ...other, ...links.flatMap((link) => [" ", link]))];
    }).filter(([, count]) => count);
    const own = found.filter(([tongue]) => tongue === language);
    return (own.length ? own : found).map(([, , links]) => links);
  }

  /* The small line of a region's shares with intervals, the whole behind; one axis for all. */
  const axis = (() => {
    const every = [...rows.flatMap((row) => row.rates), ...wholes.flatMap((whole) => whole.nation)];
    const years = every.map((rate) => rate.wave), reach = (pick, list, start) => list.reduce((a, b) => pick(a, b), start);
    const first = reach(Math.min, years, Infinity), last = Math.max(reach(Math.max, years, -Infinity), first + 1);
    const top = reach(Math.max, every.map((rate) => rate.high ?? rate.value), 1), { width, height, edge } = SPARK;
    return { x: (rate) => edge + (rate.wave - first) / (last - first) * (width - 2 * edge), y: (value) => height - edge - value / top * (height - 2 * edge) };
  })();
  const broken = (row, before, after) => (row.breaks.some((year) => before.wave < year && year <= after.wave) ? " broken" : "");
  function spark(row) {
    if (!row.rates.length) return null;
    const { x, y } = axis, round = (value) => value.toFixed(1), { width, height } = SPARK;
    const told = row.rates.map((rate) => say("spark.rate", { year: rate.wave, rate: rated(rate) })).join(language === "zh" ? "；" : "; ");
    const svg = draw("svg", { class: "spark", role: "img", viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": say("spark", { region: short(row.key), rates: told }) });
    const at = (rate) => `${round(x(rate))} ${round(y(rate.value))}`, path = (kind, d) => { if (d) svg.append(draw("path", { class: kind, d })); };
    const whole = (list, kind) => ["", " broken"].forEach((state) => path(kind + state, list.slice(1).map((rate, i) => (broken(row, list[i], rate) === state ? `M${at(list[i])}L${at(rate)}` : "")).join("")));
    whole(row.nation, "nation");
    path("whisker", row.rates.filter((rate) => rate.low !== null).map((rate) => `M${round(x(rate))} ${round(y(rate.low))}V${round(y(rate.high))}`).join(""));
    whole(row.rates, "own");
    row.rates.forEach((rate, i) => svg.append(draw("circle", { cx: round(x(rate)), cy: round(y(rate.value)), r: i === row.rates.length - 1 ? 2.6 : 1.6 })));
    return svg;
  }

  /* Where no tiles are known: values as dots with intervals, of a long list its two ends. */
  const real = rows.some((row) => !row.simulated);
  const dotted = rows.filter((row) => row.dot && !(real && row.simulated)).sort((a, b) => b.dot[0] - a.dot[0]);
  function dots() {
    const into = byId("dots");
    if (!into) return;
    const low = dotted.reduce((least, row) => Math.min(least, row.dot[1]), 0), high = dotted.reduce((most, row) => Math.max(most, row.dot[2]), 1);
    const x = (value) => (8 + 184 * (value - low) / (high - low)).toFixed(1);
    const drawn = dotted.filter((_, i) => i < ENDS || i >= dotted.length - ENDS);
    into.replaceChildren(...drawn.map((row) => {
      const [value, least, most, year] = row.dot, mark = data.first === "gap" ? signed(value) : `${value}%`;
      const svg = draw("svg", { viewBox: "0 0 200 16", class: "dot", "aria-hidden": "true", "data-kind": data.kinds[row.kind][0] });
      svg.append(draw("path", { class: "axis", d: `M${x(0)} 0V16` }), draw("path", { class: "whisker", d: `M${x(least)} 8H${x(most)}` }), draw("circle", { cx: x(value), cy: 8, r: 4.5 }));
      return make("li", {}, title(row), svg, make("span", {}, `${mark} ${year}`));
    }));
    if (drawn.length < dotted.length) into.children[ENDS].before(make("li", {}, make("a", { href: "#regions" }, say("count", { shown: drawn.length, all: dotted.length }))));
  }

  /* Maps: paint by measure; arrow keys move over the tiles, which are one stop of the Tab key. */
  function name(place) {
    const { nameZh, nameEn, wordsZh, wordsEn } = place.dataset;
    place.setAttribute("aria-label", language === "zh" ? `${nameZh}：${wordsZh}` : `${nameEn}: ${wordsEn}`);
  }
  function paint(measure) {
    for (const list of all("[data-legend]")) list.hidden = list.dataset.legend !== measure;
    for (const place of all(".place[data-key]")) {
      const [kind, hatched, mark, [form, ...numbers]] = data.paint[measure][place.dataset.key];
      const ground = place.querySelector(".ground");
      (ground ?? place).dataset.kind = kind;
      if (ground) place.querySelector(".over").setAttribute("visibility", hatched ? "visible" : "hidden");
      else {
        place.classList.toggle("hatched", hatched);
        place.querySelector(".mark").textContent = mark;
      }
      [place.dataset.wordsZh, place.dataset.wordsEn] = data.forms[form].map((words) => filled(words, numbers));
      name(place);
    }
    show("");
  }
  function show(text) {
    if (!byId("told")) return;
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
    const add = (title, texts) => body.append(make("tr", {}, make("th", { scope: "row" }, title), ...texts.map((text) => make("td", {}, text ?? "—"))));
    columns.forEach((column, i) => add(data.columns[column][language], chosen.map((key) => rows[key].cells[i].slice(1).map(text).join(language === "zh" ? "，" : ", "))));
    const doses = new Set(chosen.flatMap((key) => rows[key].inputs.map(([name]) => text(name))));
    for (const dose of doses) add(dose, chosen.map((key) => rows[key].inputs.filter(([name]) => text(name) === dose).map(([, value]) => text(value))[0]));
    const waves = [...new Set(chosen.flatMap((key) => rows[key].rates.map((rate) => rate.wave)))].sort();
    for (const wave of waves) add(say("wave", { year: wave }), chosen.map((key) => rows[key].rates.filter((rate) => rate.wave === wave).map(rated)[0]));
    return make("table", {}, make("caption", {}, say("compare.table")), make("thead", {}, head), body);
  }
  function differences() {
    const items = [];
    chosen.forEach((one, i) => chosen.slice(i + 1).forEach((other) => items.push(make("li", {}, difference(one, other)))));
    return items.length ? [make("ul", { class: "differences" }, ...items)] : [];
  }
  function difference(one, other) {
    const known = (key) => rows[key].rates.filter((rate) => rate.se !== null);
    const pairs = known(one).flatMap((a) => known(other).filter((b) => b.wave === a.wave).map((b) => [a, b]));
    if (!pairs.length || rows[one].simulated !== rows[other].simulated) return say("compare.never", { a: short(one), b: short(other) });
    const [a, b] = pairs.reduce((last, next) => (next[0].wave > last[0].wave ? next : last));
    const gap = a.value - b.value, half = Z * Math.hypot(a.se, b.se), year = a.wave;
    if (Math.abs(gap) <= half) return say("compare.near", { year, a: short(one), b: short(other), gap: fixed(gap), low: fixed(gap - half), high: fixed(gap + half) });
    const [upper, lower] = gap > 0 ? [one, other] : [other, one], size = Math.abs(gap);
    return say("compare.higher", { year, a: short(upper), b: short(lower), gap: fixed(size), low: fixed(size - half), high: fixed(size + half) });
  }
  function chart() {
    const picked = chosen.map((key) => rows[key]);
    const drawn = picked.filter((row) => row.rates.length);
    if (!drawn.length) return make("p", {}, "");
    const alike = picked.every((row) => row.simulated === picked[0].simulated);
    const nation = alike ? picked[0].nation : [];
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
    for (const year of picked[0].breaks) {
      if (year > years[0] && year <= years.at(-1)) svg.append(draw("line", { class: "break", x1: x(year - 0.5), x2: x(year - 0.5), y1: T, y2: H - B }));
    }
    const labels = [];
    const segments = (list, kind, shift, breaks) => list.slice(1).forEach((point, i) => {
      const broken = breaks.some((year) => list[i].wave < year && year <= point.wave) ? " broken" : "";
      svg.append(draw("path", { class: kind + broken, d: `M${x(list[i].wave) + shift} ${y(list[i].value)}L${x(point.wave) + shift} ${y(point.value)}` }));
    });
    if (nation.length) {
      segments(nation, "nation", 0, picked[0].breaks);
      labels.push({ y: y(nation.at(-1).value), text: say("nation"), mark: null });
    }
    picked.forEach((row, i) => {
      if (!row.rates.length) return;
      const shift = 4 * (i - (picked.length - 1) / 2), group = `s${i}`;
      const start = svg.childNodes.length;
      segments(row.rates, "line", shift, row.breaks);
      for (const point of row.rates) {
        const px = x(point.wave) + shift;
        if (point.low !== null) svg.append(draw("line", { class: "whisker", x1: px, x2: px, y1: y(point.low), y2: y(point.high) }));
        svg.append(symbol(i, px, y(point.value)));
      }
      [...svg.childNodes].slice(start).forEach((node) => node.classList.add(group));
      labels.push({ y: y(row.rates.at(-1).value), text: row.short[side()], mark: i });
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
  byId("search")?.addEventListener("input", list);
  byId("search")?.addEventListener("keydown", (event) => { if (event.key === "Enter") byId("found").querySelector("a")?.focus(); });
  byId("more").addEventListener("click", () => {
    const body = document.querySelector("#table tbody"), start = body.childElementCount;
    extend(5 * PIECE);
    body.children[start].querySelector("a, button, input").focus();
  });
  for (const radio of all("input[name=level]")) radio.addEventListener("change", list);
  for (const button of all("th[data-column] button")) button.addEventListener("click", () => sort(button.closest("th").dataset.column));
  for (const radio of all("input[name=measure]")) radio.addEventListener("change", () => paint(radio.value));
  byId("table").addEventListener("change", (event) => { if (event.target.type === "checkbox") pick(event.target.value); });
  byId("table").addEventListener("click", (event) => {
    const button = event.target.closest("button.details");
    if (!button) return;
    const open = button.closest("tr").classList.toggle("open");
    button.setAttribute("aria-expanded", open);
  });
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
