"use strict";
(() => {
  const ROWS_AT_ONCE = 200;
  const BLOCK = "#e4e8ee"; // as in charts.py
  const INK = "#14181f";
  const UNITS = { time: "s", energy: "J", traffic: "B", peak: "B" };
  const PLACES = { time: 0, energy: 1, traffic: 2, peak: 3, limit: 4 };
  const byId = (id) => document.getElementById(id);

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  async function unpacked(name) {
    const text = atob(byId(`packed-${name}`).textContent);
    const bytes = new Uint8Array(text.length);
    for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // ---------------------------------------------------------------- numbers

  const PREFIXES = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T", "P"];

  function quantity(value, unit) {
    if (value === null || value === undefined) return "";
    if (value === 0) return unit ? `0 ${unit}` : "0";
    const power = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))) / 3);
    const place = Math.max(0, Math.min(PREFIXES.length - 1, power + 5));
    const scaled = value / 10 ** ((place - 5) * 3);
    const shown = Number(scaled.toPrecision(3));
    return `${shown} ${PREFIXES[place]}${unit}`.trim();
  }

  // ---------------------------------------------------------------- drawing

  const SVG = "http://www.w3.org/2000/svg";
  const SIZE = 12; // of letters, in pixels
  const pen = document.createElement("canvas").getContext("2d");
  const family = () => getComputedStyle(document.body).fontFamily;

  function shape(name, attributes, ...children) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function words(x, y, text, attributes) {
    return shape("text", { x, y, "font-size": SIZE, fill: "var(--ink)", ...attributes }, text);
  }

  function widthOf(text) {
    pen.font = `${SIZE}px ${family()}`;
    return pen.measureText(text).width;
  }

  const ENTITIES = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&#36;": "$" };

  // Texts of figures are escaped for plotly, which takes them for markup.
  const plain = (text) => text.replace(/&(?:lt|gt|amp|#36);/g, (one) => ENTITIES[one]);

  // The text, or as much of its beginning as there is room for.
  function fitted(text, room) {
    if (widthOf(text) <= room) return text;
    let end = Math.floor((text.length * room) / widthOf(text));
    while (end > 2 && widthOf(`${text.slice(0, end)}…`) > room) end -= 1;
    return end > 2 ? `${text.slice(0, end)}…` : "";
  }

  const tip = element("div", { class: "tip", hidden: true });
  const tips = new WeakMap();
  document.body.append(tip);

  function showTip(lines, x, y) {
    tip.replaceChildren(...lines.map((line, place) => element(place ? "div" : "strong", {}, line)));
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const [right, bottom] = [window.innerWidth - box.width - 8, window.innerHeight - box.height - 8];
    tip.style.left = `${Math.max(8, Math.min(x + 14, right))}px`;
    tip.style.top = `${y + 16 > bottom ? Math.max(8, y - box.height - 10) : y + 16}px`;
  }

  function hideTip() {
    tip.hidden = true;
  }

  // The lines of a tip, its title first, for what lies below the pointer.
  function tipped(made, lines) {
    tips.set(made, lines);
    return made;
  }

  function followPointer(svg) {
    const move = (event) => {
      const on = event.target.closest("[data-tip]");
      const lines = on && tips.get(on);
      if (lines) showTip(typeof lines === "function" ? lines(event) : lines, event.clientX, event.clientY);
      else hideTip();
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("pointerleave", hideTip);
  }

  // Keys of colours in rows; their height.
  function legend(svg, names, marks, width) {
    let [x, row] = [0, 0];
    names.forEach((name, place) => {
      const text = fitted(name, width - 24);
      const needed = widthOf(text) + 34;
      if (x && x + needed > width + 16) [x, row] = [0, row + 1];
      svg.append(marks(place, x + 7, row * 18 + 9), words(x + 18, row * 18 + 13, text, {}));
      x += needed;
    });
    return names.length ? (row + 1) * 18 + 8 : 6;
  }

  function ticksOf(low, high, most) {
    const raw = (high - low) / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
    const ticks = [];
    for (let place = Math.ceil(low / step); place * step <= high * (1 + 1e-9); place += 1) ticks.push(place * step);
    return ticks;
  }

  const SYMBOLS = {
    circle: (r) => `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`,
    diamond: (r) => corners([0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0], r),
    square: (r) => corners([-0.9, -0.9, 0.9, -0.9, 0.9, 0.9, -0.9, 0.9], r),
    "triangle-up": (r) => corners([0, -1.2, 1.1, 0.8, -1.1, 0.8], r),
    cross: (r) => corners([-0.4, -1.2, 0.4, -1.2, 0.4, -0.4, 1.2, -0.4, 1.2, 0.4, 0.4, 0.4, 0.4, 1.2, -0.4, 1.2, -0.4, 0.4, -1.2, 0.4, -1.2, -0.4, -0.4, -0.4], r),
    x: (r) => corners([-1.1, -0.6, -0.6, -1.1, 0, -0.5, 0.6, -1.1, 1.1, -0.6, 0.5, 0, 1.1, 0.6, 0.6, 1.1, 0, 0.5, -0.6, 1.1, -1.1, 0.6, -0.5, 0], r),
    star: (r) => corners([0, -1.4, 0.35, -0.45, 1.3, -0.45, 0.55, 0.15, 0.8, 1.1, 0, 0.55, -0.8, 1.1, -0.55, 0.15, -1.3, -0.45, -0.35, -0.45], r),
    pentagon: (r) => corners([0, -1.2, 1.15, -0.35, 0.7, 1, -0.7, 1, -1.15, -0.35], r),
  };

  function corners(ends, r) {
    const pairs = [];
    for (let place = 0; place < ends.length; place += 2) pairs.push(`${ends[place] * r} ${ends[place + 1] * r}`);
    return `M${pairs.join("L")}Z`;
  }

  const mark = (marker, x, y) => shape("path", {
    d: SYMBOLS[marker.symbol](marker.size / 2), transform: `translate(${x} ${y})`, fill: marker.color,
    "fill-opacity": marker.opacity, stroke: "var(--panel)", "stroke-width": marker.line.width,
  });

  // ---------------------------------------------------------------- bars

  function drawBars(svg, { data, layout }, width) {
    const names = layout.yaxis.categoryarray.map(plain);
    const top = legend(svg, data.map((trace) => plain(trace.name)), (place, x, y) => shape("rect", {
      x: x - 6, y: y - 6, width: 12, height: 12, rx: 2, fill: data[place].marker.color,
    }), width);
    const left = Math.min(width * 0.4, Math.max(...names.map(widthOf)) + 10);
    const [room, band] = [width - left - 24, 44];
    const bottom = top + band * names.length;
    for (const share of width < 500 ? [0, 0.5, 1] : [0, 0.2, 0.4, 0.6, 0.8, 1]) {
      const x = left + share * room;
      svg.append(
        shape("line", { x1: x, x2: x, y1: top, y2: bottom, stroke: "var(--grid)" }),
        words(x, bottom + 16, `${Math.round(100 * share)}%`, { "text-anchor": "middle", fill: "var(--soft)" }),
      );
    }
    names.forEach((name, row) => {
      let before = 0;
      const middle = top + band * (row + 0.5);
      svg.append(words(left - 8, middle + 4, fitted(name, left - 10), { "text-anchor": "end" }));
      for (const trace of data) {
        const place = trace.y.findIndex((one) => plain(one) === name);
        if (place < 0) continue;
        const [part, text] = [trace.x[place], plain(trace.text[place])];
        const x = left + before * room;
        const bar = shape("g", { class: "trace", "data-tip": "" }, shape("rect", {
          x, y: middle - 14, width: Math.max(0.5, part * room), height: 28, fill: trace.marker.color,
        }));
        if (text && widthOf(text) < part * room - 8) {
          bar.append(words(x + (part * room) / 2, middle + 4, text, { "text-anchor": "middle", fill: trace.textfont.color }));
        }
        svg.append(tipped(bar, [name, `${plain(trace.name)} ${trace.customdata[place]}, ${(100 * part).toFixed(1)}%`]));
        before += part;
      }
    });
    return bottom + 26;
  }

  // ---------------------------------------------------------------- lines and points

  function drawLines(svg, { data, layout }, width) {
    const isLog = layout.xaxis.type === "log";
    const points = data.filter((trace) => trace.mode === "markers");
    const top = legend(svg, points.map((trace) => plain(trace.name)), (place, x, y) => mark(points[place].marker, x, y), width);
    const height = layout.height + Math.max(0, top - 26);
    const scale = isLog ? Math.log10 : Number;
    const extent = (key) => {
      const all = data.flatMap((trace) => trace[key]).map(scale);
      return [Math.min(...all), Math.max(...all)];
    };
    const [xs, ys] = [extent("x"), extent("y")];
    const [lows, highs] = isLog ? [[xs[0], ys[0] - 0.2], [xs[1], ys[1] + 0.25]] : [[xs[0], 0], [xs[1], (ys[1] || 1) * 1.06]];
    const decades = (low, high, most) => {
      const step = Math.max(1, Math.ceil((high - low) / most));
      const ticks = [];
      for (let power = Math.ceil(low); power <= high; power += step) ticks.push(power);
      return ticks;
    };
    const ticks = isLog ? decades : ticksOf;
    const named = (tick, axis) => {
      const isSmall = isLog && tick < 0 && tick > -4; // 0.1 is plainer than 100 m
      return isSmall ? String(10 ** tick) : quantity(isLog ? 10 ** tick : tick, axis.ticksuffix || "");
    };
    const yTicks = ticks(lows[1], highs[1], isLog ? 7 : 4).map((tick) => [tick, named(tick, layout.yaxis)]);
    const hasTitle = Boolean(layout.yaxis.title);
    const left = Math.max(...yTicks.map(([, text]) => widthOf(text))) + 8 + (hasTitle ? 18 : 0);
    const right = width - 14;
    const bottom = height - (layout.xaxis.title ? 38 : 22);
    const atX = (x) => left + ((x - lows[0]) / (highs[0] - lows[0] || 1)) * (right - left);
    const atY = (y) => bottom - ((y - lows[1]) / (highs[1] - lows[1])) * (bottom - top);
    for (const [tick, text] of yTicks) {
      svg.append(
        shape("line", { x1: left, x2: right, y1: atY(tick), y2: atY(tick), stroke: "var(--grid)" }),
        words(left - 6, atY(tick) + 4, text, { "text-anchor": "end", fill: "var(--soft)" }),
      );
    }
    for (const tick of ticks(lows[0], highs[0], Math.max(2, (right - left) / 70))) {
      const text = named(tick, layout.xaxis);
      const x = Math.min(atX(tick), width - widthOf(text) / 2);
      svg.append(
        shape("line", { x1: atX(tick), x2: atX(tick), y1: top, y2: bottom, stroke: "var(--grid)" }),
        words(x, bottom + 16, text, { "text-anchor": "middle", fill: "var(--soft)" }),
      );
    }
    if (layout.xaxis.title) {
      const title = fitted(plain(layout.xaxis.title.text), right - left);
      svg.append(words((left + right) / 2, height - 6, title, { "text-anchor": "middle", fill: "var(--soft)" }));
    }
    if (hasTitle) {
      const middle = (top + bottom) / 2;
      svg.append(words(12, middle, plain(layout.yaxis.title.text), {
        "text-anchor": "middle", fill: "var(--soft)", transform: `rotate(-90 12 ${middle})`,
      }));
    }
    for (const trace of data.filter((one) => one.mode === "lines")) {
      const at = trace.x.map((x, place) => [atX(scale(x)), atY(scale(trace.y[place]))]);
      const isStep = trace.line.shape === "hv";
      const path = at.map(([x, y], place) => (place === 0 ? `M${x} ${y}` : isStep ? `H${x}V${y}` : `L${x} ${y}`)).join("");
      const line = shape("path", {
        d: path, fill: "none", stroke: trace.line.color, "stroke-width": trace.line.width, class: "trace",
        "stroke-dasharray": trace.line.dash === "dash" ? "7 5" : "none", "stroke-linejoin": "round",
      });
      if (trace.fill) {
        svg.append(shape("path", { d: `${path}V${bottom}H${left}Z`, fill: trace.fillcolor, stroke: "none" }), line);
        svg.append(steps(trace, at, top, bottom));
      } else svg.append(line);
    }
    for (const trace of points) {
      trace.x.forEach((x, place) => {
        const y = trace.y[place];
        const point = mark(trace.marker, atX(scale(x)), atY(scale(y)));
        point.setAttribute("data-tip", "");
        point.setAttribute("class", "trace");
        svg.append(tipped(point, [
          plain(trace.text[place]), `${quantity(x, "OP/B")}, ${quantity(y, "OP/s")}`, `takes ${trace.customdata[place]}`,
        ]));
      });
    }
    for (const note of layout.annotations || []) {
      const at = isLog ? [note.x, note.y] : [scale(note.x), scale(note.y)];
      svg.append(words(Math.min(atX(at[0]), right), atY(at[1]) - 5, plain(note.text), {
        "text-anchor": "end", stroke: "var(--panel)", "stroke-width": 3, "paint-order": "stroke",
      }));
    }
    return height;
  }

  // A cover over steps that shows the one below the pointer.
  function steps(trace, at, top, bottom) {
    const shown = shape("rect", { y: top, height: bottom - top, width: 0, fill: "var(--ink)", "fill-opacity": 0.1 });
    const [first, last] = [at[0][0], at[at.length - 1][0]];
    const cover = shape("rect", {
      x: first, y: top, width: Math.max(0, last - first), height: Math.max(0, bottom - top), fill: "transparent", "data-tip": "",
    });
    cover.addEventListener("pointerleave", () => shown.setAttribute("width", 0));
    tipped(cover, (event) => {
      const box = cover.getBoundingClientRect();
      const x = first + ((event.clientX - box.left) / (box.width || 1)) * (last - first);
      let place = 0;
      while (place < at.length - 2 && at[place + 1][0] <= x) place += 1;
      shown.setAttribute("x", at[place][0]);
      shown.setAttribute("width", Math.max(1, at[place + 1][0] - at[place][0]));
      const clock = trace.meta === "s" ? quantity(trace.x[place], "s") : `group ${trace.x[place]}`;
      return [plain(trace.text[place]), `${quantity(trace.y[place], "B")} held, from ${clock}`];
    });
    return shape("g", {}, shown, cover);
  }

  // ---------------------------------------------------------------- icicle

  const ROOT = "network";
  const BAR = 28; // of the way back, in pixels
  const levels = new Map(); // the block that is enlarged, by place

  function familyOf({ data: [trace] }) {
    const nodes = new Map(trace.ids.map((id, place) => [id, {
      id, place, label: plain(trace.labels[place]), parent: trace.parents[place], own: trace.values[place],
      whole: 0, children: [],
    }]));
    for (const node of nodes.values()) nodes.get(node.parent)?.children.push(node);
    const add = (node) => {
      node.whole = node.own;
      for (const child of node.children) node.whole += add(child);
      return node.whole;
    };
    add(nodes.get(ROOT));
    return nodes;
  }

  const depthOf = (node) => 1 + Math.max(0, ...node.children.map(depthOf));

  function drawIcicle(svg, figure, width, place) {
    const nodes = familyOf(figure);
    const root = nodes.get(ROOT);
    const level = nodes.get(levels.get(place)) || root;
    levels.set(place, level.id);
    const { colors } = figure.data[0].marker;
    const { height } = figure.layout;
    const column = width / depthOf(level);
    const items = [];
    svg.setAttribute("role", "tree");
    svg.setAttribute("aria-label", figure.layout.meta.title);

    function enlarge(id) {
      levels.set(place, id);
      hideTip();
      draw(place);
      place.querySelector("[role=treeitem]").focus({ preventScroll: true });
    }

    // The name without that of the block around it, where the whole has no room.
    function shortOf(node, room) {
      const around = nodes.get(node.parent)?.label || "";
      const isLong = widthOf(node.label) > room && node.label.startsWith(around);
      return isLong ? node.label.slice(around.length).replace(/^[_/.]/, "") || node.label : node.label;
    }

    function area(node, depth, y, tall) {
      if (tall < 0.4) return;
      const share = root.whole ? node.whole / root.whole : 0;
      const isBlock = colors[node.place] === BLOCK;
      const lines = [node.label, `${figure.data[0].customdata[node.place]}, ${(100 * share).toFixed(2)}% of the network`];
      const made = shape("g", {
        class: "slice", role: "treeitem", tabindex: items.length ? "-1" : "0", "data-tip": "", "data-id": node.id,
        "aria-level": depth + 1, "aria-label": lines.join(": "),
      }, shape("rect", {
        x: depth * column, y: BAR + y, width: Math.max(0, column - 1), height: Math.max(0.4, tall - (tall > 4 ? 1 : 0)),
        fill: isBlock ? "var(--block)" : colors[node.place],
      }));
      if (tall >= 14) {
        const part = `  ${(100 * share).toFixed(1)}%`;
        const room = column - 10 - widthOf(part);
        const text = room > 70 ? `${fitted(node.label, room)}${part}` : fitted(shortOf(node, column - 10), column - 10);
        made.append(words(depth * column + 6, BAR + y + Math.min(tall / 2, 200) + 4, text, { fill: isBlock ? "var(--ink)" : INK }));
      }
      if (node.children.length) {
        made.setAttribute("aria-expanded", "true");
        made.addEventListener("click", () => enlarge(node === level ? node.parent || ROOT : node.id));
      }
      tipped(made, lines);
      made.addEventListener("focus", () => {
        const box = made.getBoundingClientRect();
        if (made.matches(":focus-visible")) showTip(lines, box.left + box.width / 2, box.top + Math.min(box.height / 2, 200));
      });
      made.addEventListener("blur", hideTip);
      items.push({ node, made });
      svg.append(made);
      let below = y;
      for (const child of node.children) {
        const part = node.whole ? (tall * child.whole) / node.whole : 0;
        area(child, depth + 1, below, part);
        below += part;
      }
    }

    // The way back: the blocks around the one that is enlarged.
    let x = 0;
    const way = [];
    for (let node = level; node; node = nodes.get(node.parent)) way.unshift(node);
    for (const node of way) {
      const text = fitted(node.label, Math.max(60, width / way.length - 26));
      const step = shape("g", { class: "way", "data-id": node.id }, words(x + 2, 17, node === level ? text : `${text}  ›`, {
        "font-weight": node === level ? 600 : 400, fill: node === level ? "var(--ink)" : "var(--accent)",
      }));
      if (node !== level) step.addEventListener("click", () => enlarge(node.id));
      svg.append(step);
      x += widthOf(text) + 26;
    }
    area(level, 0, 0, height - BAR);

    const byNode = new Map(items.map((item) => [item.node, item]));
    svg.addEventListener("keydown", (event) => {
      const now = items.find((item) => item.made === document.activeElement);
      if (!now) return;
      const siblings = (nodes.get(now.node.parent)?.children || []).filter((one) => byNode.has(one));
      const step = (by) => siblings[siblings.indexOf(now.node) + by];
      const wanted = {
        ArrowRight: () => now.node.children.find((one) => byNode.has(one)),
        ArrowLeft: () => nodes.get(now.node.parent), ArrowDown: () => step(1), ArrowUp: () => step(-1),
        Home: () => level,
      }[event.key];
      if (wanted) {
        const target = byNode.get(wanted());
        if (target) {
          now.made.setAttribute("tabindex", "-1");
          target.made.setAttribute("tabindex", "0");
          target.made.focus();
        }
      } else if ((event.key === "Enter" || event.key === " ") && now.node.children.length) {
        enlarge(now.node === level ? level.parent || ROOT : now.node.id);
      } else if (event.key === "Escape" && level.parent) {
        enlarge(level.parent);
      } else return;
      event.preventDefault();
    });
    return height;
  }

  // ---------------------------------------------------------------- figures

  let figures = {};
  const drawn = new Map();
  const DRAWINGS = { icicle: drawIcicle, bar: drawBars, scatter: drawLines };

  function draw(place) {
    const figure = figures[drawn.get(place)];
    const width = Math.max(200, place.clientWidth);
    const svg = shape("svg", { class: "figure", "font-family": family().replaceAll('"', "'") });
    const height = DRAWINGS[figure.data[0].type](svg, figure, width, place);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    followPointer(svg);
    place.replaceChildren(svg);
    place.dataset.width = width;
    place.style.minHeight = "0";
  }

  // The figure as a file of its own, in the colours of the page.
  function save(place) {
    const style = getComputedStyle(document.documentElement);
    const copy = place.querySelector("svg").cloneNode(true);
    const [, , width, height] = copy.getAttribute("viewBox").split(" ");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.prepend(shape("rect", { width, height, fill: "var(--panel)" }));
    const text = new XMLSerializer().serializeToString(copy)
      .replace(/var\((--[a-z-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    const link = element("a", {
      href: URL.createObjectURL(new Blob([text], { type: "image/svg+xml" })), download: `${drawn.get(place)}.svg`,
    });
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function icicleName(place) {
    const id = place.dataset.icicle;
    const device = byId(`${id}-device`).value;
    const select = byId(`${id}-measure`);
    for (const option of select.options) {
      option.disabled = !(`${id}-icicle-${device}-${option.value}` in figures);
    }
    if (select.selectedOptions[0].disabled) {
      select.value = Array.from(select.options).find((option) => !option.disabled).value;
    }
    return `${id}-icicle-${device}-${select.value}`;
  }

  function startFigures() {
    const places = document.querySelectorAll(".plot");
    const show = (place) => {
      if (drawn.has(place)) return;
      drawn.set(place, place.dataset.figure || icicleName(place));
      draw(place);
      const button = element("button", { type: "button", class: "save" }, "Save as SVG");
      button.addEventListener("click", () => save(place));
      place.parentElement.append(button);
    };
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          show(entry.target);
        }
      }
    }, { rootMargin: "300px" });
    const fitter = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (drawn.has(target) && Math.abs(target.clientWidth - target.dataset.width) > 1) draw(target);
      }
    });
    for (const place of places) {
      const made = figures[place.dataset.figure];
      if (made) place.style.minHeight = `${made.layout.height}px`;
      watcher.observe(place);
      fitter.observe(place);
      if (place.dataset.icicle) {
        const change = () => {
          drawn.set(place, icicleName(place));
          draw(place);
        };
        byId(`${place.dataset.icicle}-device`).addEventListener("change", change);
        byId(`${place.dataset.icicle}-measure`).addEventListener("change", change);
        icicleName(place);
      }
    }
    window.addEventListener("beforeprint", () => places.forEach(show));
  }

  // ---------------------------------------------------------------- table of layers

  let explanations = null;

  async function explanationOf(id, device, place) {
    explanations ||= JSON.parse(await unpacked("explanations"));
    return explanations[id][device][place];
  }

  function startTable(box, data) {
    const id = box.dataset.table;
    const columns = byId(`${id}-columns`);
    const filter = byId(`${id}-filter`);
    const count = byId(`${id}-count`);
    const rows = data.rows.map((row, place) => ({ row, place, text: `${row[0]} ${row[1]}`.toLowerCase() }));
    const state = { column: null, down: true, all: false };
    const head = element("thead");
    const body = element("tbody");
    box.replaceChildren(element("table", {}, head, body));

    // A column: its title, whether it has numbers, and its value in a row.
    const shown = [
      ["Layer", false, (row) => row[0]],
      ...data.devices.map((name, device) => [
        name, true, (row) => row[5][device][PLACES[columns.value]],
      ]),
      ["MACs", true, (row) => row[4]],
      ["Parameters", true, (row) => row[3]],
      ["Kind", false, (row) => row[1]],
      ["Output", false, (row) => row[2]],
    ];

    function sorted() {
      const wanted = filter.value.trim().toLowerCase();
      const found = wanted ? rows.filter((each) => each.text.includes(wanted)) : rows.slice();
      if (state.column === null) return found;
      const sign = state.down ? -1 : 1;
      const key = (each) => shown[state.column][2](each.row);
      return found.sort((first, second) => {
        const [one, other] = [key(first), key(second)];
        if (one === null || other === null) return (one === null) - (other === null);
        if (typeof one === "string") return sign * one.localeCompare(other, undefined, { numeric: true });
        return sign * (one - other) || first.place - second.place;
      });
    }

    function renderHead() {
      const cells = shown.map(([title, isNumber], column) => {
        const order = state.column !== column ? "none" : state.down ? "descending" : "ascending";
        const button = element("button", { type: "button" }, title);
        button.addEventListener("click", () => {
          state.down = state.column === column ? !state.down : isNumber;
          state.column = column;
          render();
          head.querySelectorAll("button")[column].focus();
        });
        return element("th", { scope: "col", "aria-sort": order, class: isNumber ? "number" : null }, button);
      });
      head.replaceChildren(element("tr", {}, ...cells));
    }

    function cellsOf(row, wholes) {
      const measure = columns.value;
      return row[5].map((found, device) => {
        const value = found[PLACES[measure]];
        if (measure === "limit") return element("td", { class: "number" }, value || "");
        const standing = found[5];
        const isDone = ["free", "fused", "unpriced"].includes(standing) && !value;
        const cell = element("td", { class: isDone || value === null ? "number muted" : "number share" });
        cell.textContent = isDone ? standing : value === null ? "" : quantity(value, UNITS[measure]);
        if (!isDone && value && wholes[device]) {
          cell.style.setProperty("--share", `${(100 * value) / wholes[device]}%`);
        }
        return cell;
      });
    }

    function rowOf(each, wholes) {
      const { row, place } = each;
      const button = element("button", { type: "button", "aria-expanded": "false" }, row[0]);
      const made = element(
        "tr", { class: "row" },
        element("th", { scope: "row" }, button),
        ...cellsOf(row, wholes),
        element("td", { class: "number" }, row[4].toLocaleString("en")),
        element("td", { class: "number" }, row[3].toLocaleString("en")),
        element("td", {}, row[1]),
        element("td", {}, row[2]),
      );
      made.addEventListener("click", () => {
        if (String(window.getSelection())) return;
        toggle(made, button, place);
      });
      return made;
    }

    function toggle(row, button, place) {
      const next = row.nextElementSibling;
      if (next && next.classList.contains("explain")) {
        next.remove();
        button.setAttribute("aria-expanded", "false");
        return;
      }
      button.setAttribute("aria-expanded", "true");
      const text = element("pre", { tabindex: "0" });
      const tabs = element("div", { class: "tabs", role: "tablist", "aria-label": "Devices" });
      const choose = async (device) => {
        for (const tab of tabs.children) {
          tab.setAttribute("aria-selected", String(tab.textContent === device));
        }
        text.textContent = (await explanationOf(id, device, place))
          ?? "Not in this report, which explains the costliest layers alone: costmodel explain MODEL LAYER -d DEVICE";
      };
      for (const device of data.devices) {
        const tab = element("button", { type: "button", role: "tab", "aria-selected": "false" }, device);
        tab.addEventListener("click", () => choose(device));
        tabs.append(tab);
      }
      const cell = element("td", { colspan: String(shown.length) }, element("div", { class: "inner" }, tabs, text));
      row.after(element("tr", { class: "explain" }, cell));
      const column = (state.column ?? 0) - 1;
      choose(data.devices[column] ?? data.devices[0]);
    }

    function render() {
      renderHead();
      const found = sorted();
      const most = state.all ? found.length : ROWS_AT_ONCE;
      const wholes = data.devices.map((_, device) => Math.max(
        0, ...data.rows.map((row) => Number(row[5][device][PLACES[columns.value]]) || 0),
      ));
      body.replaceChildren(...found.slice(0, most).map((each) => rowOf(each, wholes)));
      box.querySelector(".more")?.remove();
      if (found.length > most) {
        const more = element("button", { type: "button", class: "more" }, `Show all ${found.length.toLocaleString("en")} layers`);
        more.addEventListener("click", () => { state.all = true; render(); });
        box.append(more);
      }
      count.textContent = found.length === rows.length
        ? `${rows.length.toLocaleString("en")} layers`
        : `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} layers`;
    }

    columns.addEventListener("change", render);
    filter.addEventListener("input", render);
    window.addEventListener("beforeprint", () => { state.all = true; render(); });
    render();
  }

  // ---------------------------------------------------------------- start

  async function start() {
    const data = JSON.parse(await unpacked("data"));
    figures = data.figures;
    startFigures();
    for (const box of document.querySelectorAll("[data-table]")) {
      startTable(box, data.tables[box.dataset.table]);
    }
    document.documentElement.dataset.ready = "true";
  }

  start().catch((error) => {
    for (const place of document.querySelectorAll(".plot, [data-table]")) {
      place.replaceChildren(element("p", { class: "message" }, `This browser cannot show it: ${error.message}`));
    }
    throw error;
  });
})();
