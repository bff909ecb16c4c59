// Finding spans in the waterfall: marks what matches, goes from hit to hit, and says how many there are.

export class Search {
  constructor(page, trace, rows, tree) {
    Object.assign(this, { trace, rows, tree, hits: [], at: -1 });
    this.field = page.querySelector("[data-find]");
    this.told = page.querySelector("[data-found]");
    this.field.addEventListener("input", () => this.look());
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape") this.leave();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    page.querySelector("[data-find-next]").addEventListener("click", () => this.step(1));
    page.querySelector("[data-find-previous]").addEventListener("click", () => this.step(-1));
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  leave() {
    this.field.value = "";
    this.look();
    this.tree.focus({ preventScroll: true });
  }

  look() {
    this.hits = this.trace.search(this.field.value);
    this.at = -1;
    this.rows.hits = new Set(this.hits);
    this.rows.redraw();
    if (this.hits.length) this.#go(Math.max(0, this.hits.findIndex((row) => row >= this.rows.active)));
    else this.#tell();
  }

  step(by) {
    if (this.hits.length) this.#go((this.at + by + this.hits.length) % this.hits.length);
  }

  #go(at) {
    this.at = at;
    this.trace.reveal(this.hits[at]);
    this.rows.go(this.hits[at], { centre: true });
    this.#tell();
  }

  #tell() {
    const count = this.hits.length.toLocaleString("en-US");
    if (!this.field.value.trim()) this.told.textContent = "";
    else this.told.textContent = this.hits.length ? `${(this.at + 1).toLocaleString("en-US")} of ${count}` : "no span";
  }
}
