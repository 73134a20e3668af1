"use strict";
// Blocks of a picture that close to one box each. What stands beside a block keeps its place: only heights at which
// nothing else is drawn are taken out of the picture.
const collapsibleBlocks = (svg, full, moved, changed) => {
  const HEIGHT = 60; // of a closed block
  const GAP = 8; // above and below it, for arrows
  const AROUND = 24; // what a box keeps free above and below

  const number = (element, name) => Number(element.getAttribute(name));
  const boxes = [...svg.querySelectorAll("g[id]")].map((element) => {
    const rect = element.querySelector("rect");
    const [top, height] = [number(rect, "y"), number(rect, "height")];
    return { element, id: element.id, block: element.dataset.block ?? "", top, bottom: top + height, shift: 0 };
  });
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const frames = [...svg.querySelectorAll("g.frame")].map((element) => {
    const rect = element.querySelector("rect");
    const [top, height] = [number(rect, "y"), number(rect, "height")];
    const name = element.dataset.block;
    const inside = boxes.filter((box) => `${box.block}.`.startsWith(`${name}.`)).length;
    const centre = number(rect, "x") + number(rect, "width") / 2;
    return { element, rect, text: element.querySelector("text"), name, top, bottom: top + height, centre, inside };
  });
  const framed = new Map(frames.map((frame) => [frame.name, frame]));
  // The points that an arrow goes through, and which of its pieces are straight.
  const paths = [...svg.querySelectorAll("path[data-from]")].map((element) => {
    const parts = element.getAttribute("d").match(/[MLC][^MLC]*/g);
    const route = parts.map((part) => part.slice(1).trim().split(/[\s,]+/).map(Number).slice(-2));
    return { element, route, straight: parts.length === 2 && parts[1][0] === "L" };
  });
  const drawn = (way, straight) => way.map(([x, y], i) => {
    if (i === 0) return `M${x.toFixed(1)} ${y.toFixed(1)}`;
    const [before, above] = way[i - 1];
    const middle = ((above + y) / 2).toFixed(1);
    const end = `${x.toFixed(1)} ${y.toFixed(1)}`;
    return straight || Math.abs(x - before) < 0.5 ? `L${end}` : `C${before.toFixed(1)} ${middle} ${x.toFixed(1)} ${middle} ${end}`;
  }).join(" ");
  const labels = [...svg.querySelectorAll("text[data-from]")].map((element) => ({ element, y: number(element, "y") }));
  const paper = svg.querySelector("rect");
  const height = full.height;
  const closed = new Set();

  // The outermost closed block around what is in ``block``.
  const hider = (block) => {
    const names = block.split(".").map((_, i, all) => all.slice(0, i + 1).join("."));
    return framed.get(names.find((name) => closed.has(name)));
  };

  // Pieces of the picture, from top to bottom, each with how much of its height is left.
  const squeezed = () => {
    const shut = frames.filter((frame) => hider(frame.name) === frame);
    const kept = boxes.filter((box) => !hider(box.block)).map((box) => [box.top - AROUND, box.bottom + AROUND]);
    const cuts = [...new Set([0, height, ...shut.flatMap((f) => [f.top, f.bottom]), ...kept.flat()])].sort((a, b) => a - b);
    const pieces = [];
    for (let i = 0; i + 1 < cuts.length; i += 1) {
      const middle = (cuts[i] + cuts[i + 1]) / 2;
      const around = shut.filter((frame) => frame.top < middle && middle < frame.bottom);
      const free = around.length > 0 && !kept.some(([top, bottom]) => top < middle && middle < bottom);
      pieces.push({ top: cuts[i], bottom: cuts[i + 1], around: free ? around : [], share: 1 });
    }
    for (const frame of shut) {
      const own = pieces.filter((piece) => piece.around.includes(frame));
      const length = own.reduce((sum, piece) => sum + piece.bottom - piece.top, 0);
      frame.share = length > 0 ? Math.max(HEIGHT - (frame.bottom - frame.top - length), 0) / length : 1;
    }
    for (const piece of pieces) {
      if (piece.around.length > 0) piece.share = Math.min(1, Math.max(...piece.around.map((frame) => frame.share)));
    }
    return (y) => pieces.reduce((sum, piece) => sum + Math.min(Math.max(y - piece.top, 0), piece.bottom - piece.top) * piece.share, 0);
  };

  const update = () => {
    const at = squeezed();
    for (const box of boxes) {
      const middle = (box.top + box.bottom) / 2;
      box.shift = at(middle) - middle;
      box.element.style.display = hider(box.block) ? "none" : "";
      box.element.setAttribute("transform", `translate(0 ${box.shift.toFixed(1)})`);
    }
    for (const frame of frames) {
      const outer = hider(frame.name);
      const shut = outer === frame;
      frame.element.style.display = outer && !shut ? "none" : "";
      frame.element.classList.toggle("closed", shut);
      frame.element.setAttribute("aria-expanded", String(!shut));
      const inset = shut ? GAP : 0;
      frame.rect.setAttribute("y", at(frame.top) + inset);
      frame.rect.setAttribute("height", at(frame.bottom) - at(frame.top) - 2 * inset);
      frame.text.setAttribute("y", shut ? (at(frame.top) + at(frame.bottom)) / 2 + 4 : at(frame.top) + 14);
      frame.text.textContent = shut ? `▸ ${frame.name}: ${frame.inside} layers` : `▾ ${frame.name}`;
    }
    // The ends of arrows: the same block hides both, or they end at the border of the block that hides one.
    const ends = (element) => [element.dataset.from, element.dataset.to].map((id) => hider(byId.get(id)?.block ?? ""));
    for (const { element, route, straight } of paths) {
      const [from, to] = ends(element);
      element.style.display = from && from === to ? "none" : "";
      const outside = ([, y]) => !(from && y < from.bottom) && !(to && y > to.top);
      const points = from || to ? route.filter(outside) : route;
      const way = points.map(([x, y]) => [x, at(y)]);
      if (from) way.unshift([from.centre, at(from.bottom) - GAP]);
      if (to) way.push([to.centre, at(to.top) + GAP]);
      element.setAttribute("d", drawn(way, straight));
    }
    for (const { element, y } of labels) {
      const [from, to] = ends(element);
      element.style.display = from || to ? "none" : "";
      element.setAttribute("y", at(y));
    }
    full.height = at(height);
    paper.setAttribute("height", full.height);
  };

  const set = (name, shut) => {
    closed[shut ? "add" : "delete"](name);
    update();
    changed();
  };
  for (const frame of frames) {
    const toggle = () => set(frame.name, !closed.has(frame.name));
    frame.element.setAttribute("tabindex", "0");
    frame.element.setAttribute("role", "button");
    frame.element.addEventListener("click", (event) => {
      if (!moved() && (closed.has(frame.name) || event.target === frame.text)) toggle();
    });
    frame.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      toggle();
      event.preventDefault();
      event.stopPropagation();
    });
  }
  if (frames.length > 0) update();

  return {
    count: frames.length,
    all: (shut) => {
      closed.clear();
      if (shut) for (const frame of frames) closed.add(frame.name);
      if (frames.length > 0) update();
    },
    // Opens what hides a box.
    reveal: (element) => {
      const box = byId.get(element.id);
      for (const name of [...closed]) if (`${box.block}.`.startsWith(`${name}.`)) set(name, false);
    },
    place: (element) => {
      const frame = element.getBBox();
      return { x: frame.x, y: frame.y + (byId.get(element.id)?.shift ?? 0), width: frame.width, height: frame.height };
    },
  };
};
