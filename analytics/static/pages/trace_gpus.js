// A lane for each GPU over the waterfall: when spans held it, and how much it was used then.

import { inUnit } from "./formats.js";
import { lasting } from "./trace_scale.js";

const MOST_TABLE_ROWS = 500;

function text(tag, content, className) {
  const made = document.createElement(tag);
  made.textContent = content;
  if (className) made.className = className;
  return made;
}

function shortUuid(uuid) {
  return uuid.length > 16 ? `${uuid.slice(0, 12)}…` : uuid;
}

function usage(utilization) {
  return utilization === null ? "utilization unknown" : inUnit(utilization, "percent");
}

export class Lanes {
  constructor(element, trace, scale, { carried, choose }) {
    Object.assign(this, { element, trace, scale, choose });
    this.lanes = trace.gpus.map((gpu) => this.#lane(gpu, carried));
    element.hidden = !this.lanes.length;
    element.append(...this.lanes.map((lane) => lane.element));
    scale.onChange(() => this.draw());
  }

  #lane(gpu, carried) {
    const element = text("div", "", "lane");
    const label = text("div", "", "lane-name");
    const link = text("a", gpu.model.replace(/^NVIDIA /, "") || shortUuid(gpu.uuid));
    link.href = gpu.href + carried;
    label.title = [gpu.model, gpu.resource_type, gpu.uuid, gpu.node_id, gpu.user_label].filter(Boolean).join(" · ");
    label.append(link);
    if (gpu.resource_type) label.append(" ", text("span", gpu.resource_type, "badge"));
    label.append(" ", text("span", [gpu.model ? shortUuid(gpu.uuid) : "", gpu.node_id, gpu.user_label].filter(Boolean).join(" · "), "muted"));
    const track = text("div", "", "lane-track");
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.#told(gpu));
    track.append(canvas);
    element.append(label, track);
    const lane = { gpu, element, canvas };
    canvas.addEventListener("pointermove", (event) => {
      const at = this.#under(lane, event);
      canvas.title = at < 0 ? "" : this.#toldOf(gpu, at);
    });
    canvas.addEventListener("click", (event) => {
      const at = this.#under(lane, event);
      if (at >= 0) this.choose(gpu.row[at]);
    });
    return lane;
  }

  #told(gpu) {
    const known = gpu.utilization.filter((one) => one !== null);
    const spans = gpu.row.length === 1 ? "one span" : `${gpu.row.length.toLocaleString("en-US")} spans`;
    const range = known.length ? `at ${inUnit(Math.min(...known.slice(0, 1e4)), "percent")} to ${inUnit(Math.max(...known.slice(0, 1e4)), "percent")}` : "utilization unknown";
    return `${gpu.model || gpu.uuid}: ${spans} held it, ${range}`;
  }

  #toldOf(gpu, at) {
    const row = gpu.row[at];
    return `${this.trace.nameOf(row)}: ${lasting(this.trace.took[row])}, ${usage(gpu.utilization[at])}`;
  }

  /** The place in the lane of the shortest span under the pointer, -1 where nobody held the GPU. */
  #under({ gpu, canvas }, event) {
    const box = canvas.getBoundingClientRect();
    const reach = (2 / box.width) * (this.scale.to - this.scale.from);
    const moment = this.scale.from + ((event.clientX - box.left) / box.width) * (this.scale.to - this.scale.from);
    let found = -1;
    gpu.row.forEach((row, at) => {
      const begin = this.trace.begin[row];
      if (moment < begin - reach || moment > begin + this.trace.took[row] + reach) return;
      if (found < 0 || this.trace.took[row] < this.trace.took[gpu.row[found]]) found = at;
    });
    return found;
  }

  draw() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const colours = { held: colour("rule"), used: colour("tone-1"), unknown: colour("muted") };
    for (const lane of this.lanes) this.#draw(lane, colours);
  }

  /** The ground is where it was held; how high it is filled is its utilisation, a line where nobody knows that. */
  #draw({ gpu, canvas }, colours) {
    const { trace, scale } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * devicePixelRatio;
    canvas.height = height * devicePixelRatio;
    const pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    gpu.row.forEach((row, at) => {
      const left = Math.max(scale.at(trace.begin[row]), 0) * width;
      const right = Math.min(scale.at(trace.begin[row] + trace.took[row]), 1) * width;
      if (right < 0 || left > width || right < left) return;
      const wide = Math.max(1, right - left - (right - left > 3 ? 0.5 : 0));
      pen.fillStyle = colours.held;
      pen.fillRect(left, 0, wide, height);
      const utilization = gpu.utilization[at];
      if (utilization === null) {
        pen.fillStyle = colours.unknown;
        pen.fillRect(left, height / 2 - 0.5, wide, 1);
      } else {
        const high = Math.max(1, (Math.min(utilization, 100) / 100) * height);
        pen.fillStyle = colours.used;
        pen.fillRect(left, height - high, wide, high);
      }
    });
  }

  /** The same in numbers. */
  table(details) {
    if (!this.lanes.length) return;
    details.hidden = false;
    details.addEventListener("toggle", () => {
      if (details.open && !details.querySelector("table")) details.querySelector(".scrolls").append(this.#table());
    });
  }

  #table() {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const [name, className] of [["GPU"], ["Held by"], ["After", "number"], ["For", "number"], ["Utilization", "number"]]) {
      const cell = text("th", name, className);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    let left = MOST_TABLE_ROWS;
    for (const gpu of this.trace.gpus) {
      gpu.row.slice(0, left).forEach((row, at) => {
        const line = body.insertRow();
        const cell = text("th", `${gpu.model} ${shortUuid(gpu.uuid)}`.trim());
        cell.scope = "row";
        line.append(
          cell,
          text("td", this.trace.nameOf(row)),
          text("td", lasting(this.trace.begin[row]), "number"),
          text("td", lasting(this.trace.took[row]), "number"),
          text("td", gpu.utilization[at] === null ? "unknown" : inUnit(gpu.utilization[at], "percent"), "number"),
        );
      });
      left -= Math.min(left, gpu.row.length);
    }
    if (!left) table.createCaption().textContent = `The first ${MOST_TABLE_ROWS}. The API has all of them.`;
    return table;
  }
}
