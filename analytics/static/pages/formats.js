// Units on axes and in tooltips, as formats.py writes them in the page, and times in the viewer's zone.

const nothing = "–";

function figures(number) {
  const size = Math.abs(number);
  if (size > 0 && size < 0.01) return number.toFixed(Math.min(1 - Math.floor(Math.log10(size)), 100));
  const digits = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return number.toLocaleString("en-US", { maximumFractionDigits: digits });
}

function duration(ms) {
  if (ms >= 59500) {
    const seconds = Math.round(ms / 1000);
    const parts = [[Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"], [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"]];
    const first = parts.findIndex(([number]) => number > 0);
    return parts.slice(first, first + 2).filter(([number]) => number > 0).map(([number, name]) => `${number} ${name}`).join(" ");
  }
  for (const [size, name] of [[1000, "s"], [1, "ms"], [0.001, "µs"]]) if (ms >= size) return `${figures(ms / size)} ${name}`;
  return `${Math.round(ms * 1e6)} ns`;
}

function count(number) {
  for (const [size, name] of Math.abs(number) >= 1e5 ? [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]] : []) {
    if (Math.abs(number) >= size) return `${figures(number / size)} ${name}`;
  }
  return figures(number);
}

function money(usd) {
  if (usd === 0 || Math.abs(usd) >= 10) return `$${usd.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  const digits = Math.max(2, 2 - Math.floor(Math.log10(Math.abs(usd))));
  return `$${usd.toFixed(Math.min(digits, 20))}`;
}

const units = {
  ms: duration,
  count,
  per_second: (number) => `${count(number)}/s`,
  percent: (number) => `${figures(number)}%`,
  usd: money,
  gib: (number) => `${figures(number)} GiB`,
  watts: (number) => `${figures(number)} W`,
  celsius: (number) => `${figures(number)} °C`,
  mhz: (number) => `${figures(number)} MHz`,
};

export function inUnit(value, unit) {
  return value === null || value === undefined || Number.isNaN(value) ? nothing : units[unit](value);
}

const zone = document.documentElement.dataset.zone || "UTC";
const formats = {
  long: new Intl.DateTimeFormat("en-GB", { timeZone: zone, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  time: new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" }),
  seconds: new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  day: new Intl.DateTimeFormat("en-GB", { timeZone: zone, month: "short", day: "numeric" }),
};

export function moment(ms, how = "long") {
  return formats[how].format(ms);
}

/** Return how the ticks of a range of so many milliseconds are written: with seconds, without, or as days. */
export function tickFormat(range) {
  return range < 600e3 ? "seconds" : range <= 36 * 3600e3 ? "time" : "day";
}
