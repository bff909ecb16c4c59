// The panel beside the waterfall: one span, which the address names so that it can be shared.

export class Panel {
  constructor(element, { address, onClose, onGo }) {
    Object.assign(this, { element, address, onClose });
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-close]")) this.close();
      const link = event.target.closest("a[data-goes]");
      if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && onGo(link.dataset.goes)) event.preventDefault();
    });
    element.addEventListener("input", (event) => {
      if (event.target.matches("[data-filter]")) filter(element.querySelector("[data-filtered]"), event.target.value);
    });
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Show a span; `focus` tells to go into the panel, as who chose it by keyboard wants. */
  async open(spanId, { focus = false } = {}) {
    this.element.hidden = false;
    this.element.parentElement.classList.add("with-panel");
    const url = new URL(location.href);
    url.searchParams.set("span", spanId);
    history.replaceState(history.state, "", url);
    this.asked = spanId;
    await window.htmx.ajax("GET", this.address.replace("0000000000000000", spanId), { target: this.element, swap: "innerHTML" });
    if (this.asked !== spanId) return;
    this.element.scrollTop = 0;
    if (!this.element.querySelector("[data-close]")) this.element.prepend(closeButton());
    if (focus) (this.element.querySelector("[data-panel-title]") ?? this.element.querySelector("[data-close]")).focus();
  }

  close() {
    if (!this.isOpen) return;
    this.asked = null;
    this.element.hidden = true;
    this.element.replaceChildren();
    this.element.parentElement.classList.remove("with-panel");
    const url = new URL(location.href);
    url.searchParams.delete("span");
    history.replaceState(history.state, "", url);
    this.onClose();
  }
}

/** What says that something went wrong has no button of its own. */
function closeButton() {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.close = "";
  button.textContent = "Close";
  return button;
}

function filter(box, text) {
  const wanted = text.toLowerCase();
  for (const row of box.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}
