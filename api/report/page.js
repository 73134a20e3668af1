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

  let fitted = true;
  const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);

  // How many units of the picture a pixel is.
  const scale = () => Math.max(view.width / stage.clientWidth, view.height / stage.clientHeight);

  const fit = () => {
    Object.assign(view, full);
    fitted = true;
    show();
  };

  const zoom = (factor, x, y) => {
    fitted = false;
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
      fitted = false;
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
      fitted = false;
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
      reveal(box);
      const frame = place(box);
      fitted = false;
      if (scale() > 1) {  // too small to read
        view.width = stage.clientWidth;
        view.height = stage.clientHeight;
      }
      view.x = frame.x + frame.width / 2 - view.width / 2;
      view.y = frame.y + frame.height / 2 - view.height / 2;
      show();
    }
  };

  const blocks = collapsibleBlocks(svg, full, () => moved, show);
  const { reveal, place } = blocks;
  for (const button of document.querySelectorAll("[data-blocks]")) {
    button.hidden = blocks.count === 0;
    button.addEventListener("click", () => {
      blocks.all(button.dataset.blocks === "close");
      fit();
    });
  }

  svg.addEventListener("click", (event) => {
    const box = event.target.closest("g[id]");
    if (box && !moved) choose(box.id, false);
  });
  for (const row of document.querySelectorAll("tr[data-layer]")) {
    row.addEventListener("click", () => choose(row.dataset.layer, true));
  }

  // Searching: what fits is marked, Enter goes from one to the next.

  const search = document.getElementById("the-search");
  let hits = [];
  let hit = -1;
  const find = () => {
    const wanted = search.value.trim().toLowerCase();
    hits = wanted === "" ? [] : Object.keys(data).filter((id) => `${data[id].name} ${data[id].facts[0][1]}`.toLowerCase().includes(wanted));
    hits.sort((a, b) => Number(b.toLowerCase() === wanted) - Number(a.toLowerCase() === wanted));
    hit = -1;
    stage.classList.toggle("searching", hits.length > 0);
    for (const box of svg.querySelectorAll("g[id]")) box.classList.toggle("match", hits.includes(box.id));
    search.classList.toggle("nothing", wanted !== "" && hits.length === 0);
  };
  search.addEventListener("input", () => {
    find();
    if (hits.length > 0 && hits[0].toLowerCase() === search.value.trim().toLowerCase()) choose(hits[(hit = 0)], true);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      find();
    } else if (event.key === "Enter" && hits.length > 0) {
      hit = (hit + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
      choose(hits[hit], true);
    } else return;
    event.preventDefault();
  });

  // Blocks of a network that is too large to be read as a whole begin closed.
  if (scale() > 2) blocks.all(true);
  fit();
  window.addEventListener("resize", () => { if (fitted) fit(); });
})();
