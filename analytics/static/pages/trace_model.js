// A trace as columns (analytics/pages/trace_data.py): where each span hangs, which are folded, which match a search.

const statuses = ["unset", "ok", "error"];

export class Trace {
  constructor(data) {
    Object.assign(this, data);
    this.count = data.depth.length;
    this.#place();
    this.folded = new Uint8Array(this.count);
    this.show();
    this.llmOf = new Map(data.llm.row.map((row, at) => [row, { ttft: data.llm.ttft[at], input: data.llm.input[at], output: data.llm.output[at] }]));
    this.isOrphan = new Set(data.orphans);
    this.isRepeated = new Set(data.repeated);
    this.pathOf = new Map();
    data.path.row.forEach((row, at) => {
      if (!this.pathOf.has(row)) this.pathOf.set(row, []);
      this.pathOf.get(row).push([data.path.begin[at], data.path.end[at]]);
    });
    this.busyOf = new Map();
  }

  /** Find each row's parent, where its descendants end, and its place among its siblings. */
  #place() {
    const { count, depth } = this;
    this.parent = new Int32Array(count).fill(-1);
    this.end = new Int32Array(count);
    this.position = new Int32Array(count);
    const children = new Int32Array(count + 1);
    const open = [];
    for (let row = 0; row <= count; row++) {
      const level = row < count ? depth[row] : 0;
      while (open.length > level) this.end[open.pop()] = row;
      if (row === count) break;
      this.parent[row] = open.length ? open.at(-1) : -1;
      this.position[row] = ++children[this.parent[row] < 0 ? count : this.parent[row]];
      open.push(row);
    }
    this.children = children;
  }

  siblings(row) {
    return this.children[this.parent[row] < 0 ? this.count : this.parent[row]];
  }

  hasChildren(row) {
    return this.end[row] > row + 1;
  }

  idOf(row) {
    return this.ids.slice(row * 16, row * 16 + 16);
  }

  /** The first row of an id, as the panel shows the first span of it; -1 where there is none. */
  rowOf(id) {
    if (!/^[0-9a-f]{16}$/.test(id)) return -1;
    let found = -1;
    for (let at = this.ids.indexOf(id); at >= 0; at = this.ids.indexOf(id, at + 1)) {
      const row = at / 16;
      if (at % 16 === 0 && (found < 0 || this.begin[row] < this.begin[found])) found = row;
    }
    return found;
  }

  statusOf(row) {
    return statuses[this.status[row]];
  }

  nameOf(row) {
    return this.names[this.name[row]] || "a span without a name";
  }

  serviceOf(row) {
    return this.services[this.service[row]];
  }

  /** Work out the rows that no folded one hides. */
  show() {
    const shown = [];
    this.place = new Int32Array(this.count).fill(-1);
    for (let row = 0; row < this.count; row = this.folded[row] ? this.end[row] : row + 1) {
      this.place[row] = shown.length;
      shown.push(row);
    }
    this.shown = shown;
  }

  fold(row, isFolded) {
    this.folded[row] = isFolded && this.hasChildren(row) ? 1 : 0;
    this.show();
  }

  foldAll(isFolded) {
    for (let row = 0; row < this.count; row++) this.folded[row] = isFolded && this.hasChildren(row) ? 1 : 0;
    this.show();
  }

  /** Unfold whatever hides a row; tell whether anything did. */
  reveal(row) {
    let changed = false;
    for (let above = this.parent[row]; above >= 0; above = this.parent[above]) {
      changed ||= this.folded[above] === 1;
      this.folded[above] = 0;
    }
    if (changed) this.show();
    return changed;
  }

  /** The row itself, or of those that hide it the uppermost. */
  visible(row) {
    let seen = row;
    for (let above = row; above >= 0; above = this.parent[above]) if (this.folded[above] && above !== row) seen = above;
    return seen;
  }

  /** When a row's children ran, as [begin, end] one after the other, within the row's own time. */
  busy(row) {
    if (!this.busyOf.has(row)) {
      const until = this.begin[row] + this.took[row];
      const found = [];
      for (let child = row + 1; child < this.end[row]; child = this.end[child]) {
        const begin = Math.max(this.begin[child], this.begin[row]);
        const end = Math.min(this.begin[child] + this.took[child], until);
        if (end <= begin) continue;
        const last = found.at(-1);
        if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
        else found.push([begin, end]);
      }
      this.busyOf.set(row, found);
    }
    return this.busyOf.get(row);
  }

  /** The rows of which every word of the text is true: in name, service or model, or what status: and the like say. */
  search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const tests = words.map((word) => this.#test(word));
    const hits = [];
    for (let row = 0; row < this.count; row++) if (tests.every((test) => test(row))) hits.push(row);
    return hits;
  }

  #test(word) {
    const [, field, rest] = word.match(/^(name|service|model|status):(.*)$/) ?? [];
    if (field === "status") return (row) => this.statusOf(row).startsWith(rest);
    const wanted = rest ?? word;
    const columns = { name: [this.name, this.names], service: [this.service, this.services], model: [this.model, this.models] };
    const looked = Object.entries(columns)
      .filter(([name]) => !field || name === field)
      .map(([, [column, texts]]) => [column, texts.map((one) => one.toLowerCase().includes(wanted))]);
    return (row) => looked.some(([column, matches]) => matches[column[row]]);
  }
}
