"use strict";
(() => {
  const ROWS_AT_ONCE = 200;
  const BLOCK = "#e4e8ee"; // as in charts.py
  const INK = "#14181f";
  const UNITS = { time: "s", energy: "J", traffic: "B", peak: "B" };
  const PLACES = { time: 0, energy: 1, traffic: 2, peak: 3, limit: 4 };
  const byId = (id) => document.getElementById(id);
  const printing = window.matchMedia("print");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

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

  // ---------------------------------------------------------------- figures

  let figures = {};
  const drawn = new Map();

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { ink: of("--ink"), soft: of("--soft"), grid: of("--grid"), panel: of("--panel"), block: of("--block") };
  }

  function themed(figure) {
    const { ink, soft, grid, panel, block } = colours();
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { color: ink, size: 12, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: panel, bordercolor: soft, font: { color: ink, size: 13 }, align: "left" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink },
      dragmode: false, ...figure.layout,
    };
    for (const axis of ["xaxis", "yaxis"]) {
      if (layout[axis]) {
        layout[axis] = {
          gridcolor: grid, zerolinecolor: grid, linecolor: soft, tickcolor: soft,
          tickfont: { color: soft }, fixedrange: true, ...layout[axis],
        };
      }
    }
    const data = figure.data.map((trace) => trace.type !== "icicle" ? trace : {
      ...trace,
      marker: {
        colors: trace.marker.colors.map((fill) => (fill === BLOCK ? block : fill)),
        line: { width: 1, color: panel },
      },
      textfont: { color: trace.marker.colors.map((fill) => (fill === BLOCK ? ink : INK)) },
      pathbar: { ...trace.pathbar, textfont: { color: ink } },
    });
    return { data, layout };
  }

  function draw(place) {
    const { data, layout } = themed(figures[drawn.get(place)]);
    const config = {
      displaylogo: false, responsive: true, showTips: false,
      modeBarButtons: [["toImage"]], toImageButtonOptions: { format: "svg", scale: 1 },
    };
    return Plotly.react(place, data, layout, config);
  }

  function redrawAll() {
    for (const place of drawn.keys()) draw(place);
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
    };
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          show(entry.target);
        }
      }
    }, { rootMargin: "300px" });
    for (const place of places) {
      const made = figures[place.dataset.figure];
      if (made) place.style.minHeight = `${made.layout.height}px`;
      watcher.observe(place);
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
    dark.addEventListener("change", redrawAll);
    printing.addEventListener("change", redrawAll);
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
    const library = unpacked("plotly");
    const data = JSON.parse(await unpacked("data"));
    figures = data.figures;
    for (const box of document.querySelectorAll("[data-table]")) {
      startTable(box, data.tables[box.dataset.table]);
    }
    const script = document.createElement("script");
    script.textContent = await library;
    document.head.append(script);
    startFigures();
    document.documentElement.dataset.ready = "true";
  }

  start().catch((error) => {
    for (const place of document.querySelectorAll(".plot, [data-table]")) {
      place.replaceChildren(element("p", { class: "message" }, `This browser cannot show it: ${error.message}`));
    }
    throw error;
  });
})();
