// Draws the charts that a page carries (analytics/pages/charts.py), and makes what is brushed the page's range.

import { inUnit, moment, tickFormat } from "./formats.js";

const { Chart } = window;
Chart.defaults.animation = false;
Chart.defaults.font.family = "inherit";
Chart.defaults.maintainAspectRatio = false;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function dataset(line, data) {
  const own = colour(`tone-${line.tone}`);
  const isBar = data.kind !== "lines";
  return {
    type: isBar ? "bar" : "line",
    label: line.name,
    // The middle of each bucket, whose number is the place on the axis
    data: line.values.map((y, at) => ({ x: at + 0.5, y })),
    borderColor: own,
    backgroundColor: own,
    borderWidth: isBar ? 0 : 1.5,
    pointRadius: (point) => (isAlone(line.values, point.dataIndex) ? 2 : 0),
    pointHitRadius: 0,
    barPercentage: 0.9,
    categoryPercentage: 1,
    minBarLength: 1,
    grouped: false,
    spanGaps: false,
  };
}

/** A value between two that are missing is no line; it is drawn as a point. */
function isAlone(values, at) {
  return values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
}

function edgeText(data, at, how) {
  const edge = data.edges[Math.min(Math.max(at, 0), data.edges.length - 1)];
  return data.axis === "time" ? moment(edge, how) : inUnit(edge, "ms");
}

/** Buckets between two ticks: so that at most `most` come, and that they lie on whole hours and minutes. */
function tickStep(data, most) {
  const buckets = data.edges.length - 1;
  const narrowest = Math.max(1, Math.ceil(buckets / most));
  if (data.axis !== "time") return narrowest;
  const width = (data.edges[1] - data.edges[0]) / 1000;
  const usual = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
  const fitting = usual.find((seconds) => seconds % width === 0 && seconds / width >= narrowest);
  return fitting ? fitting / width : narrowest;
}

function ticks(data, step) {
  const width = data.edges[1] - data.edges[0];
  const first = data.axis === "time" ? (step - (Math.round(data.edges[0] / width) % step)) % step : 0;
  const values = [];
  for (let at = first; at < data.edges.length; at += step) values.push({ value: at });
  return values;
}

function options(data, figure) {
  const how = tickFormat(data.edges.at(-1) - data.edges[0]);
  return {
    interaction: { mode: "index", intersect: false, axis: "x" },
    scales: {
      x: {
        type: "linear",
        min: 0,
        max: data.edges.length - 1,
        offset: false,
        stacked: data.kind === "stacked",
        grid: { display: false },
        border: { color: colour("rule") },
        afterBuildTicks: (axis) => (axis.ticks = ticks(data, tickStep(data, Math.max(2, Math.floor(axis.width / 70))))),
        ticks: { color: colour("muted"), maxRotation: 0, autoSkip: false, callback: (at) => edgeText(data, at, how) },
      },
      y: {
        beginAtZero: true,
        max: data.highest ?? undefined,
        stacked: data.kind === "stacked",
        border: { display: false },
        grid: { color: colour("rule") },
        ticks: { color: colour("muted"), maxTicksLimit: 5, callback: (value) => inUnit(value, data.unit).replace(/(\.\d\d\d*?)0+$/, "$1") },
      },
    },
    plugins: {
      legend: { display: false },
      tooltip: {
        callbacks: {
          title: ([item]) => (item ? `${edgeText(data, item.dataIndex, "long")} – ${edgeText(data, item.dataIndex + 1, data.axis === "time" && how !== "day" ? "seconds" : "long")}` : ""),
          label: (item) => ` ${item.dataset.label}: ${inUnit(item.raw.y, data.unit)}`,
        },
      },
      brush: { figure },
    },
  };
}

// The stretch of buckets that somebody is choosing with the pointer
const brush = {
  id: "brush",
  afterDraw(chart) {
    if (!chart.$brush) return;
    const { top, height } = chart.chartArea;
    const [from, to] = brushed(chart).map((at) => chart.scales.x.getPixelForValue(at));
    chart.ctx.save();
    chart.ctx.globalAlpha = 0.18;
    chart.ctx.fillStyle = colour("tone-1");
    chart.ctx.fillRect(from, top, to - from, height);
    chart.ctx.restore();
  },
};

/** Return the whole buckets that were brushed: where they begin and where they end. */
function brushed(chart) {
  const last = chart.scales.x.max;
  const [from, to] = [chart.$brush.from, chart.$brush.to].sort((a, b) => a - b);
  return [Math.max(0, Math.floor(from)), Math.min(last, Math.ceil(to))];
}

function listenForBrush(chart, figure, data) {
  const canvas = chart.canvas;
  const place = (event) => chart.scales.x.getValueForPixel(event.clientX - canvas.getBoundingClientRect().left);
  const stop = () => {
    chart.$brush = null;
    delete figure.dataset.brushing;
    chart.draw();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    canvas.setPointerCapture(event.pointerId);
    figure.dataset.brushing = "";
    chart.$brush = { from: place(event), to: place(event), begun: event.clientX };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!chart.$brush) return;
    chart.$brush.to = place(event);
    chart.draw();
  });
  canvas.addEventListener("pointercancel", stop);
  canvas.addEventListener("keydown", (event) => event.key === "Escape" && stop());
  canvas.addEventListener("pointerup", (event) => {
    if (!chart.$brush) return;
    const isClick = Math.abs(event.clientX - chart.$brush.begun) < 5;
    const [from, to] = brushed(chart);
    stop();
    if (!isClick && to > from) location.assign(addressOf(data, from, to));
  });
}

/** Return the page's address with the range of these buckets, the last one not included. */
function addressOf(data, from, to) {
  const url = new URL(location.href);
  const chosen = [data.bounds[from][0], data.bounds[to - 1][1]];
  data.brush.forEach((name, at) => (chosen[at] === null ? url.searchParams.delete(name) : url.searchParams.set(name, chosen[at])));
  for (const name of ["cursor", "offset", ...(data.axis === "time" ? ["range"] : [])]) url.searchParams.delete(name);
  return url;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Write the same as a table, once somebody opens it: a row a bucket, whose first cell leads to what is in it. */
function write(details, data, title) {
  const names = data.lines.map((line) => element("th", { scope: "col", class: "number" }, line.name));
  const rows = data.bounds.map((_, at) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("a", { href: addressOf(data, at, at + 1) }, edgeText(data, at, "long"))),
      ...data.lines.map((line) => element("td", { class: "number" }, inUnit(line.values[at], data.unit))),
    ),
  );
  const table = element("table", {}, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "From"), ...names)), element("tbody", {}, ...rows));
  details.append(element("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": `${title}, as a table` }, table));
}

function draw(figure) {
  const source = figure.querySelector('script[type="application/json"]');
  if (!source) return;
  const canvas = figure.querySelector("canvas");
  Chart.getChart(canvas)?.destroy();
  const data = JSON.parse(source.textContent);
  const datasets = data.lines.map((line) => dataset(line, data));
  const chart = new Chart(canvas, { data: { datasets }, options: options(data, figure), plugins: [brush] });
  listenForBrush(chart, figure, data);
  const details = figure.querySelector("details[data-table]");
  details?.addEventListener("toggle", () => write(details, data, figure.querySelector("h3").textContent), { once: true });
}

export function drawAll(root = document) {
  for (const figure of root.querySelectorAll("figure[data-chart]")) draw(figure);
}

drawAll();
document.addEventListener("htmx:beforeSwap", (event) => {
  for (const canvas of event.detail.target.querySelectorAll("canvas")) Chart.getChart(canvas)?.destroy();
});
document.addEventListener("htmx:afterSwap", (event) => drawAll(event.detail.target));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
