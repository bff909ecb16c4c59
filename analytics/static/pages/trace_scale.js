// The stretch of time that the waterfall shows: zooming by the map, the axis and the buttons, and the ticks.

import { inUnit } from "./formats.js";

const NS_PER_MS = 1e6;
const NARROWEST_NS = 10;
const DRAG_PX = 4;

export function lasting(nanoseconds) {
  return inUnit(nanoseconds / NS_PER_MS, "ms");
}

/** From when to when is shown, in nanoseconds after the trace's start. */
export class Scale {
  constructor(duration) {
    this.whole = Math.max(duration, 1);
    this.listeners = [];
    this.from = 0;
    this.to = this.whole;
  }

  get isWhole() {
    return this.from === 0 && this.to === this.whole;
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  set(from, to) {
    const width = Math.min(Math.max(to - from, Math.min(NARROWEST_NS, this.whole)), this.whole);
    this.from = Math.min(Math.max(from, 0), this.whole - width);
    this.to = this.from + width;
    for (const listener of this.listeners) listener();
  }

  reset() {
    this.set(0, this.whole);
  }

  zoom(factor, around = (this.from + this.to) / 2) {
    this.set(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  move(share) {
    const by = (this.to - this.from) * share;
    this.set(this.from + by, this.to + by);
  }

  /** Where a moment is, from 0 to 1 of what is shown, beyond it where it is not. */
  at(moment) {
    return (moment - this.from) / (this.to - this.from);
  }

  /** Round moments, so that two are `apart` pixels from one another at least. */
  ticks(width, apart = 90) {
    const least = ((this.to - this.from) * apart) / Math.max(width, apart);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= least);
    const ticks = [];
    for (let tick = Math.ceil(this.from / step) * step; tick <= this.to; tick += step) ticks.push(tick);
    return ticks;
  }
}

export function drawAxis(element, scale) {
  element.replaceChildren(
    ...scale.ticks(element.clientWidth).map((tick) => {
      const mark = document.createElement("span");
      mark.textContent = tick === 0 ? "0" : lasting(tick);
      mark.style.left = `${100 * scale.at(tick)}%`;
      return mark;
    }),
  );
}

/** Draw all spans small, one line below the other, and what is shown of them. */
export function drawMap(map, trace, scale, tones) {
  const canvas = map.querySelector("canvas");
  const [width, height] = [map.clientWidth, map.clientHeight];
  canvas.width = width * devicePixelRatio;
  canvas.height = height * devicePixelRatio;
  const pen = canvas.getContext("2d");
  pen.scale(devicePixelRatio, devicePixelRatio);
  const line = Math.max(1, Math.min(4, height / trace.count));
  const draw = (row, high) => {
    const y = (row / trace.count) * (height - high);
    pen.fillRect((trace.begin[row] / scale.whole) * width, y, Math.max(1, (trace.took[row] / scale.whole) * width), high);
  };
  const failed = [];
  for (let row = 0; row < trace.count; row++) {
    pen.fillStyle = tones.of(trace.service[row]);
    if (trace.status[row] === "2") failed.push(row);
    else draw(row, line);
  }
  // Last, and not too thin, so that they are seen among thousands
  pen.fillStyle = tones.error;
  for (const row of failed) draw(row, Math.max(line, Math.min(1.5, (height / failed.length) * 0.5)));
  markShown(map, scale);
}

export function markShown(map, scale) {
  const brushed = map.querySelector(".brushed");
  brushed.hidden = scale.isWhole;
  brushed.style.left = `${(100 * scale.from) / scale.whole}%`;
  brushed.style.width = `${(100 * (scale.to - scale.from)) / scale.whole}%`;
}

/** Let a drag over the element zoom; `momentAt` tells the moment at a share of its width. */
export function zoomByDrag(element, scale, momentAt) {
  let began = null;
  const shareOf = (event) => {
    const box = element.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  const band = document.createElement("div");
  band.className = "band";
  band.hidden = true;
  element.append(band);
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    began = { x: event.clientX, share: shareOf(event) };
    element.setPointerCapture(event.pointerId);
    if (!band.isConnected) element.append(band);
  });
  element.addEventListener("pointermove", (event) => {
    if (!began) return;
    const share = shareOf(event);
    band.hidden = Math.abs(event.clientX - began.x) < DRAG_PX;
    band.style.left = `${100 * Math.min(share, began.share)}%`;
    band.style.width = `${100 * Math.abs(share - began.share)}%`;
  });
  const finish = (event) => {
    if (!began) return;
    const [first, last] = [began.share, shareOf(event)].sort((a, b) => a - b);
    const isDrag = event.type === "pointerup" && Math.abs(event.clientX - began.x) >= DRAG_PX;
    began = null;
    band.hidden = true;
    if (isDrag) scale.set(momentAt(first), momentAt(last));
  };
  element.addEventListener("pointerup", finish);
  element.addEventListener("pointercancel", finish);
}
