// The keys of the waterfall, as those of a tree (ARIA Authoring Practices, "Tree View"), and those to find and to zoom.

import { ROW_PX } from "./trace_rows.js";

export function keyboard(page, { tree, trace, rows, scale, panel, search, open, fold }) {
  const place = () => trace.place[rows.active];
  const to = (at) => rows.go(trace.shown[Math.min(Math.max(at, 0), trace.shown.length - 1)]);
  const screen = () => Math.max(1, Math.floor(tree.clientHeight / ROW_PX) - 1);
  const isOpen = () => trace.hasChildren(rows.active) && !trace.folded[rows.active];
  const zoomToSpan = () => {
    const room = Math.max(trace.took[rows.active] * 0.05, 1);
    scale.set(trace.begin[rows.active] - room, trace.begin[rows.active] + trace.took[rows.active] + room);
  };
  const ofTree = {
    ArrowDown: () => to(place() + 1),
    ArrowUp: () => to(place() - 1),
    PageDown: () => to(place() + screen()),
    PageUp: () => to(place() - screen()),
    Home: () => to(0),
    End: () => to(trace.shown.length - 1),
    ArrowRight: () => (isOpen() ? rows.go(rows.active + 1) : fold(rows.active, false)),
    ArrowLeft: () => {
      if (isOpen()) fold(rows.active, true);
      else if (trace.parent[rows.active] >= 0) rows.go(trace.parent[rows.active]);
    },
    Enter: () => open(rows.active, { focus: true }),
    " ": () => open(rows.active),
    z: zoomToSpan,
  };
  const ofPage = {
    "/": () => search.focus(),
    n: () => search.step(1),
    N: () => search.step(-1),
    "+": () => scale.zoom(0.5),
    "-": () => scale.zoom(2),
    0: () => scale.reset(),
    Escape: () => panel.close(),
  };
  const shifted = { ArrowLeft: () => scale.move(-0.25), ArrowRight: () => scale.move(0.25) };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, details.menu[open]")) return;
    const isOfTree = event.target === tree;
    const act = (isOfTree && event.shiftKey && shifted[event.key]) || (isOfTree && ofTree[event.key]) || ofPage[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  });
}
