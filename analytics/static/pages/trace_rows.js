// The rows of the waterfall: only those exist that can be seen.

import { inUnit } from "./formats.js";
import { lasting } from "./trace_scale.js";

export const ROW_PX = 26;
const BEYOND = 12;
const MOST_LEVELS = 14;
const MOST_STRIPES = 60;

function element(className, text) {
  const made = document.createElement("span");
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A background of stripes: `colour` where an interval is, `ground` elsewhere, over what of [begin, end] is shown. */
function stripes(intervals, begin, end, colour, ground) {
  const stops = [];
  let until = 0;
  for (const [from, to] of intervals) {
    const first = Math.max(0, (from - begin) / (end - begin));
    const last = Math.min(1, (to - begin) / (end - begin));
    if (last <= until || last - first < 0.001) continue;
    stops.push(`${ground} ${100 * until}% ${100 * first}%`, `${colour} ${100 * first}% ${100 * last}%`);
    until = last;
    if (stops.length > 2 * MOST_STRIPES) break;
  }
  stops.push(`${ground} ${100 * until}% 100%`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

export class Rows {
  constructor(tree, trace, scale, toneOf) {
    Object.assign(this, { tree, trace, scale, toneOf, active: 0, chosen: -1, showsPath: true });
    this.hits = new Set();
    this.made = new Map();
    this.space = document.createElement("div");
    this.space.className = "space";
    this.space.setAttribute("role", "presentation");
    tree.append(this.space);
    tree.addEventListener("scroll", () => this.#soon(), { passive: true });
    scale.onChange(() => this.redraw());
  }

  /** Make all rows anew, once before the next frame. */
  redraw() {
    this.isStale = true;
    this.#soon();
  }

  #soon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.render();
    });
  }

  render() {
    const { trace, tree } = this;
    if (this.isStale) {
      this.made.forEach((row) => row.remove());
      this.made.clear();
      this.isStale = false;
    }
    this.space.style.height = `${trace.shown.length * ROW_PX}px`;
    const first = Math.max(0, Math.floor(tree.scrollTop / ROW_PX) - BEYOND);
    const last = Math.min(trace.shown.length, Math.ceil((tree.scrollTop + tree.clientHeight) / ROW_PX) + BEYOND);
    const wanted = new Set(trace.shown.slice(first, last));
    for (const [row, made] of this.made) {
      if (wanted.has(row)) continue;
      made.remove();
      this.made.delete(row);
    }
    // In the order in which they are seen, which is the one in which they are read aloud
    let before = null;
    for (let place = first; place < last; place++) {
      const row = trace.shown[place];
      let made = this.made.get(row);
      if (!made) {
        made = this.#make(row);
        made.style.transform = `translateY(${place * ROW_PX}px)`;
        this.made.set(row, made);
        if (before) before.after(made);
        else this.space.prepend(made);
      }
      before = made;
    }
    if (this.made.has(this.active)) tree.setAttribute("aria-activedescendant", `row-${this.active}`);
    else tree.removeAttribute("aria-activedescendant");
  }

  /** Make a row the one that the keyboard is on, and bring it into sight. */
  go(row, { centre = false } = {}) {
    this.active = row;
    const top = this.trace.place[row] * ROW_PX;
    const { scrollTop, clientHeight } = this.tree;
    if (centre && (top < scrollTop || top + ROW_PX > scrollTop + clientHeight)) this.tree.scrollTop = top - clientHeight / 2;
    else if (top < scrollTop) this.tree.scrollTop = top;
    else if (top + ROW_PX > scrollTop + clientHeight) this.tree.scrollTop = top + ROW_PX - clientHeight;
    this.isStale = true;
    this.render();
  }

  #make(row) {
    const { trace } = this;
    const made = document.createElement("div");
    made.className = "row";
    made.id = `row-${row}`;
    made.dataset.row = row;
    made.setAttribute("role", "treeitem");
    made.setAttribute("aria-level", trace.depth[row] + 1);
    made.setAttribute("aria-setsize", trace.siblings(row));
    made.setAttribute("aria-posinset", trace.position[row]);
    made.setAttribute("aria-selected", row === this.chosen);
    made.setAttribute("aria-label", this.#told(row));
    if (trace.hasChildren(row)) made.setAttribute("aria-expanded", !trace.folded[row]);
    made.classList.toggle("failed", trace.status[row] === "2");
    made.classList.toggle("hit", this.hits.has(row));
    made.classList.toggle("active", row === this.active);
    made.classList.add(this.toneOf(trace.service[row]));
    made.append(this.#label(row), this.#track(row));
    return made;
  }

  #label(row) {
    const { trace } = this;
    const label = element("label");
    label.style.paddingLeft = `calc(${Math.min(trace.depth[row], MOST_LEVELS)} * var(--level))`;
    if (trace.depth[row] > MOST_LEVELS) label.append(element("level", trace.depth[row].toLocaleString("en-US")));
    label.append(element(trace.hasChildren(row) ? "fold" : "leaf", trace.hasChildren(row) ? (trace.folded[row] ? "▸" : "▾") : ""));
    if (trace.status[row] === "2") label.append(element("mark", "!"));
    label.append(element("name", trace.nameOf(row)), element("service", trace.serviceOf(row)));
    if (trace.isOrphan.has(row)) label.append(element("note", "parent missing"));
    if (trace.isRepeated.has(row)) label.append(element("note", "id sent twice"));
    if (trace.folded[row]) label.append(element("note", `+${(trace.end[row] - row - 1).toLocaleString("en-US")}`));
    label.title = `${trace.nameOf(row)} · ${trace.serviceOf(row)}`;
    return label;
  }

  #track(row) {
    const { trace, scale } = this;
    const track = element("track");
    const begin = Math.max(trace.begin[row], scale.from);
    const end = Math.min(trace.begin[row] + trace.took[row], scale.to);
    if (end < scale.from || begin > scale.to) {
      track.append(element(`away ${end < scale.from ? "before" : "after"}`, end < scale.from ? "◂" : "▸"));
      return track;
    }
    const [left, right] = [100 * scale.at(begin), 100 * scale.at(end)];
    const bar = element("span-bar");
    bar.style.left = `${left}%`;
    bar.style.width = `${right - left}%`;
    const busy = trace.hasChildren(row) && end > begin ? trace.busy(row) : [];
    if (busy.length) bar.style.backgroundImage = stripes(busy, begin, end, "var(--waits)", "transparent");
    const path = this.showsPath && trace.pathOf.get(row);
    if (path && end > begin) {
      const line = element("path");
      line.style.backgroundImage = stripes(path, begin, end, "var(--path)", "transparent");
      bar.append(line);
    }
    track.append(bar);
    const llm = trace.llmOf.get(row);
    if (llm?.ttft > 0) {
      const first = trace.begin[row] + llm.ttft * 1e6;
      if (first >= scale.from && first <= scale.to) {
        const tick = element("ttft");
        tick.style.left = `${100 * scale.at(first)}%`;
        track.append(tick);
      }
    }
    track.append(this.#text(row, left, right));
    track.title = this.#told(row);
    return track;
  }

  /** What stands beside the bar, on the side where there is more room. */
  #text(row, left, right) {
    const text = element("took");
    text.append(element("duration", lasting(this.trace.took[row])));
    const more = this.#llm(row);
    if (more.length) text.append(element("more", ` · ${more.join(" · ")}`));
    if (100 - right >= left || right <= 70) text.style.left = `calc(${Math.min(right, 100)}% + 6px)`;
    else text.style.right = `calc(${100 - Math.max(left, 0)}% + 6px)`;
    if (left < 25 && right > 75) {
      text.style.left = "auto";
      text.style.right = "6px";
      text.classList.add("inside");
    }
    return text;
  }

  #llm(row) {
    const llm = this.trace.llmOf.get(row);
    if (!llm) return [];
    const parts = [];
    if (llm.ttft !== null) parts.push(`TTFT ${inUnit(llm.ttft, "ms")}`);
    if (llm.input !== null || llm.output !== null) parts.push(`${inUnit(llm.input ?? 0, "count")} → ${inUnit(llm.output ?? 0, "count")} tokens`);
    return parts;
  }

  /** All that a row shows, in words. */
  #told(row) {
    const { trace } = this;
    const told = [trace.nameOf(row), trace.serviceOf(row)];
    if (trace.status[row] === "2") told.push("failed");
    told.push(lasting(trace.took[row]));
    if (trace.hasChildren(row)) told.push(`${lasting(trace.own[row])} of it itself`);
    told.push(trace.begin[row] ? `after ${lasting(trace.begin[row])}` : "from the start");
    const model = trace.models[trace.model[row]];
    if (model) told.push(model);
    told.push(...this.#llm(row));
    if (trace.pathOf.has(row)) told.push("on the critical path");
    if (trace.isOrphan.has(row)) told.push("its parent is not here");
    return told.join(", ");
  }
}
