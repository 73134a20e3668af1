"use strict";
(() => {
  const data = JSON.parse(document.getElementById("the-data").textContent);
  const stage = document.getElementById("the-graph");
  const svg = stage.querySelector("svg");
  const whole = svg.viewBox.baseVal;
  const full = { x: 0, y: 0, width: whole.width, height: whole.height };
  const panel = document.getElementById("the-layer");
  const view = { ...full };
  svg.removeAttribute("width");
  svg.removeAttribute("height");

  // The view: a part of the picture, moved by dragging, zoomed by wheel, buttons, keys or two fingers.

  const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);

  // How many units of the picture a pixel is.
  const scale = () => Math.max(view.width / stage.clientWidth, view.height / stage.clientHeight);

  const fit = () => {
    Object.assign(view, full);
    // A tall network in a low window would be too small to read: begin at its top, in full width.
    const readable = Math.max(full.width, stage.clientWidth) * (stage.clientHeight / stage.clientWidth);
    if (full.height > 1.6 * readable) {
      view.width = Math.max(full.width, stage.clientWidth);
      view.x = (full.width - view.width) / 2;
      view.height = readable;
    }
    show();
  };

  const zoom = (factor, x, y) => {
    const size = Math.min(Math.max(view.width / factor, 60), 8 * Math.max(full.width, full.height));
    const real = view.width / size;
    view.x = x - (x - view.x) / real;
    view.y = y - (y - view.y) / real;
    view.width = size;
    view.height /= real;
    show();
  };

  const point = (event) => {
    const box = stage.getBoundingClientRect();
    const unit = scale();
    return {
      x: view.x + view.width / 2 + (event.clientX - box.left - box.width / 2) * unit,
      y: view.y + view.height / 2 + (event.clientY - box.top - box.height / 2) * unit,
    };
  };

  const middle = () => ({ x: view.x + view.width / 2, y: view.y + view.height / 2 });
  const fingers = new Map();
  let moved = false;

  stage.addEventListener("pointerdown", (event) => {
    if (fingers.size === 0) moved = false;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    stage.classList.add("moving");
  });
  stage.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const dx = event.clientX - last.x;
    const dy = event.clientY - last.y;
    if (!moved && Math.hypot(dx, dy) < 4) return;
    if (!moved && event.isTrusted) stage.setPointerCapture(event.pointerId);
    moved = true;
    if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(event.clientX - other.x, event.clientY - other.y);
      const centre = point({ clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 });
      if (before > 0 && after > 0) zoom(after / before, centre.x, centre.y);
    } else {
      const unit = scale();
      view.x -= dx * unit;
      view.y -= dy * unit;
      show();
    }
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const name of ["pointerup", "pointercancel"]) {
    stage.addEventListener(name, (event) => {
      fingers.delete(event.pointerId);
      if (fingers.size === 0) stage.classList.remove("moving");
    });
  }
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = point(event);
    zoom(Math.exp(-event.deltaY * 0.0015), at.x, at.y);
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    const step = view.width / 10;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const at = middle();
    if (event.key in moves) {
      view.x += moves[event.key][0];
      view.y += moves[event.key][1];
      show();
    } else if (event.key === "+") zoom(1.25, at.x, at.y);
    else if (event.key === "-") zoom(0.8, at.x, at.y);
    else if (event.key === "0") fit();
    else return;
    event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const at = middle();
      if (button.dataset.zoom === "fit") fit();
      else zoom(Number(button.dataset.zoom), at.x, at.y);
    });
  }

  // Choosing a layer.

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const lineText = (number) => {
    const line = document.getElementById(`line-${number}`);
    return line ? line.lastChild.textContent.replace(/\n$/, "") : "";
  };

  const choose = (id, bring) => {
    const about = data[id];
    if (!about) return;
    for (const old of document.querySelectorAll(".chosen")) old.classList.remove("chosen");
    const box = svg.querySelector(`g[id="${CSS.escape(id)}"]`);
    if (box) box.classList.add("chosen");
    const row = document.querySelector(`tr[data-layer="${CSS.escape(id)}"]`);
    if (row) row.classList.add("chosen");
    panel.replaceChildren(element("h3", about.name));
    const list = element("dl");
    for (const [name, value] of about.facts) {
      const pair = element("div");
      if (name) pair.append(element("dt", name));
      pair.append(element("dd", value));
      list.append(pair);
    }
    panel.append(list);
    if (about.lines) {
      const [first, last] = about.lines;
      const text = [];
      for (let number = first; number <= last; number += 1) {
        const line = document.getElementById(`line-${number}`);
        if (line) line.classList.add("chosen");
        text.push(lineText(number));
      }
      const indent = Math.min(...text.map((line) => line.length - line.trimStart().length));
      const link = element("a", first === last ? `line ${first}` : `lines ${first}–${last}`);
      link.href = `#line-${first}`;
      const quote = element("pre", text.map((line) => line.slice(indent)).join("\n"));
      panel.append(quote, link);
    }
    if (bring && box) {
      const frame = box.getBBox();
      view.x = frame.x + frame.width / 2 - view.width / 2;
      view.y = frame.y + frame.height / 2 - view.height / 2;
      show();
    }
  };

  svg.addEventListener("click", (event) => {
    const box = event.target.closest("g[id]");
    if (box && !moved) choose(box.id, false);
  });
  for (const row of document.querySelectorAll("tr[data-layer]")) {
    row.addEventListener("click", () => choose(row.dataset.layer, true));
  }
  fit();
  window.addEventListener("resize", fit);
})();
