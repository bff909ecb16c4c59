// The page of a trace: asks for its spans and wires the waterfall, the lanes of its GPUs, the search and the panel.

import { Lanes } from "./trace_gpus.js";
import { keyboard } from "./trace_keys.js";
import { Trace } from "./trace_model.js";
import { Panel } from "./trace_panel.js";
import { Rows } from "./trace_rows.js";
import { drawAxis, drawMap, lasting, markShown, Scale, zoomByDrag } from "./trace_scale.js";
import { Search } from "./trace_search.js";

const TONES = 6;
const MOST_SERVICES = 12;
const MOST_NAMES = 3;
const LEAST_SHARE = 0.005;

const page = document.querySelector(".trace");
if (page) start(page);

async function start(page) {
  const loading = page.querySelector("[data-loading]");
  let data;
  try {
    const answer = await fetch(page.dataset.waterfall, { headers: { "HX-Request": "true" } });
    if (answer.headers.has("HX-Refresh")) return location.reload();
    if (!answer.ok) return (loading.outerHTML = await answer.text());
    data = await answer.json();
  } catch {
    loading.textContent = "The server did not answer. Reload the page to ask again.";
    return undefined;
  }
  loading.remove();
  page.querySelector("[data-drawn]").hidden = false;
  return draw(page, new Trace(data));
}

function draw(page, trace) {
  const find = (name) => page.querySelector(`[data-${name}]`);
  const scale = new Scale(trace.duration);
  const tree = find("tree");
  const rows = new Rows(tree, trace, scale, (service) => `tone-${(service % TONES) + 1}`);
  const panel = new Panel(find("panel"), { address: page.dataset.span, onClose: () => choose(-1), onGo: (id) => goTo(trace.rowOf(id)) });
  const lanes = new Lanes(find("lanes"), trace, scale, { carried: page.dataset.carried, choose: (row) => goTo(row) });
  lanes.table(find("lane-table"));

  function choose(row) {
    rows.chosen = row;
    rows.redraw();
    if (row < 0) tree.focus({ preventScroll: true });
  }
  function open(row, options) {
    rows.chosen = row;
    rows.go(row);
    panel.open(trace.idOf(row), options);
  }
  function goTo(row) {
    if (row < 0) return false;
    trace.reveal(row);
    rows.go(row, { centre: true });
    open(row);
    return true;
  }
  function fold(row, isFolded) {
    trace.fold(row, isFolded);
    rows.go(row);
  }
  function foldAll(isFolded) {
    trace.foldAll(isFolded);
    rows.go(trace.visible(rows.active), { centre: true });
  }

  const search = new Search(page, trace, rows, tree);
  keyboard(page, { tree, trace, rows, scale, panel, search, open, fold });
  tree.addEventListener("click", (event) => {
    const made = event.target.closest(".row");
    if (!made) return;
    const row = Number(made.dataset.row);
    if (event.target.closest(".fold")) fold(row, !trace.folded[row]);
    else open(row);
  });
  find("fold-all").addEventListener("click", () => foldAll(true));
  find("unfold-all").addEventListener("click", () => foldAll(false));
  find("show-path").addEventListener("change", (event) => {
    rows.showsPath = event.target.checked;
    rows.redraw();
  });
  const zooms = { in: () => scale.zoom(0.5), out: () => scale.zoom(2), reset: () => scale.reset() };
  for (const button of page.querySelectorAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);

  const [map, axis] = [find("minimap"), find("axis")];
  zoomByDrag(map, scale, (share) => share * scale.whole);
  zoomByDrag(axis, scale, (share) => scale.from + share * (scale.to - scale.from));
  const mark = () => {
    drawAxis(axis, scale);
    markShown(map, scale);
    find("stretch").textContent = scale.isWhole ? "" : `${lasting(scale.from)} – ${lasting(scale.to)}`;
  };
  scale.onChange(mark);
  new ResizeObserver(() => {
    page.style.setProperty("--gutter", `${tree.offsetWidth - tree.clientWidth}px`); // its scroll bar, where that takes room
    drawMap(map, trace, scale, tones());
    mark();
    lanes.draw();
    rows.redraw();
  }).observe(page);
  legend(find("services"), trace);
  tellPath(document.querySelector("[data-path]"), trace, goTo);
  rows.render();

  const asked = new URLSearchParams(location.search).get("span");
  if (asked && !goTo(trace.rowOf(asked.toLowerCase()))) panel.open(/^\w+$/.test(asked) ? asked : "none"); // which says so
}

function tones() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const colours = Array.from({ length: TONES }, (_, at) => colour(`tone-${at + 1}`));
  return { error: colour("tone-error"), of: (service) => colours[service % TONES] };
}

function legend(list, trace) {
  const items = trace.services.slice(0, MOST_SERVICES).map((service, at) => {
    const item = document.createElement("li");
    item.className = `tone-${(at % TONES) + 1}`;
    item.textContent = service;
    return item;
  });
  list.append(...items);
  if (trace.services.length > MOST_SERVICES) {
    const rest = document.createElement("li");
    rest.className = "rest";
    rest.textContent = `and ${trace.services.length - MOST_SERVICES} more`;
    list.append(rest);
  }
}

/** Tell how many spans the trace waited for, and the names of those that it waited for longest. */
function tellPath(place, trace, goTo) {
  const byName = new Map();
  for (const [row, stretches] of trace.pathOf) {
    const time = stretches.reduce((sum, [begin, end]) => sum + end - begin, 0);
    const name = trace.nameOf(row).replace(/\d+$/, "…"); // step_1, step_2: one of many
    const known = byName.get(name) ?? { time: 0, row, longest: 0 };
    byName.set(name, { time: known.time + time, row: time > known.longest ? row : known.row, longest: Math.max(time, known.longest) });
  }
  const count = trace.pathOf.size;
  place.textContent = count === 1 ? "1 span" : `${count.toLocaleString("en-US")} spans`;
  const longest = [...byName]
    .sort(([, a], [, b]) => b.time - a.time)
    .filter(([, { time }], at) => !at || time >= LEAST_SHARE * trace.duration)
    .slice(0, MOST_NAMES);
  longest.forEach(([name, { time, row }], at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain";
    button.textContent = `${name} ${Math.round((100 * time) / Math.max(trace.duration, 1))}%`;
    button.title = `${lasting(time)} of the whole ${lasting(trace.duration)}: open the longest span of this name`;
    button.addEventListener("click", () => goTo(row));
    place.append(at ? ", " : ": ", button);
  });
}
