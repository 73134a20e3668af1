const facts = JSON.parse(document.getElementById("facts").textContent);
const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const problem = (text) => { $("problem").textContent = text; };
let network, redraw = () => {};

/** Runs the network on an array and shows what it answers. */
function answer(data, shape) {
  try {
    const begun = performance.now(), answers = network.run({ [facts.input]: { data, shape } });
    show(answers, performance.now() - begun);
    problem("");
  } catch (error) { problem(error.message); }
}

function show(answers, milliseconds) {
  redraw = () => show(answers, milliseconds);
  const results = [];
  for (const [name, { data, shape }] of Object.entries(answers))
    if (!(name in facts.maps)) results.push(result(name, data, shape));
  results.sort((a, b) => b.classList.contains("named") - a.classList.contains("named"));
  results.push(make("p", { className: "quiet", textContent: `computed in ${milliseconds.toFixed(1)} ms` }));
  $("results").replaceChildren(...results);
  const maps = Object.entries(facts.maps).map(([name, title]) => pictures(title, answers[name]));
  $("inside").hidden = !maps.length;
  $("maps").replaceChildren(...maps);
}

/** An output as a picture or text: classes by name, scores as bars, scores over time as a heat map. */
function result(name, data, shape) {
  const figure = make("figure", {}, make("figcaption", { textContent: name })), labels = facts.labels[name];
  const count = shape.slice(1).reduce((a, b) => a * b, 1);
  if (labels) {
    const said = [...data.slice(0, count)].map(Number).filter((number) => number >= 0).map((number) => labels[number]);
    figure.classList.add("named");
    figure.append(make("div", { className: "answer", textContent: said.join(" ") || "nothing" }));
  } else if (shape.length === 3 && shape[1] > 1) {
    const known = Object.values(facts.labels).map((labels) =>
      ({ first: ["blank", ...labels], last: [...labels, "blank"] })[facts.blank] ?? labels);
    const names = known.find((names) => names.length === shape[2] && names.length <= 16);
    figure.firstChild.textContent = `${name} over time, ${names ? `from the top: ${names.join(", ")}` : `${shape[2]} rows`}`;
    figure.append(heat(data, shape[1], shape[2]));
  }
  else if (count > 1 && count <= 60) figure.append(bars([...data.slice(0, count)].map(Number)));
  else figure.append(make("p", { textContent: [...data.slice(0, 24)].map((n) => Number(n).toPrecision(4)).join(", ") }));
  return figure;
}

/** Probabilities, or the softmax of scores of classes that have names; other numbers as they are. */
function bars(scores) {
  const sum = scores.reduce((a, b) => a + b, 0), most = Math.max(...scores);
  const names = Object.values(facts.labels).find((labels) => labels.length === scores.length);
  const are = scores.every((score) => score >= 0) && Math.abs(sum - 1) < 1e-3;
  const powers = scores.map((score) => Math.exp(score - most)), whole = powers.reduce((a, b) => a + b, 0);
  const parts = are ? scores : names ? powers.map((power) => power / whole) : scores;
  const share = are || names, largest = share ? 1 : Math.max(1e-9, ...parts.map(Math.abs));
  const table = make("table", { className: "bars" }), order = parts.map((_, i) => i);
  if (order.length > 12) order.sort((a, b) => parts[b] - parts[a]).splice(12);
  for (const i of order) {
    const bar = make("span", { className: "bar" });
    bar.style.width = `${100 * Math.abs(parts[i]) / largest}%`;
    bar.classList.toggle("below", parts[i] < 0);
    const row = make("tr", {}, make("th", { textContent: names?.[i] ?? `${i}`, scope: "row" }), make("td", {}, bar),
      make("td", { textContent: share ? `${(100 * parts[i]).toFixed(1)} %` : parts[i].toPrecision(4) }));
    row.classList.toggle("most", Boolean(share) && parts[i] === Math.max(...parts));
    table.append(row);
  }
  return table;
}

/** Numbers [steps, units] as a picture: time to the right, blue below zero and orange above. */
function heat(data, steps, units, canvas = make("canvas", { className: "strip" })) {
  canvas.width = Math.max(1, steps);
  canvas.height = Math.max(1, units);
  canvas.style.imageRendering = "pixelated";
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  const most = Math.max(1e-9, data.reduce((a, b) => Math.max(a, Math.abs(Number(b))), 0)), dark = isDark();
  for (let t = 0; t < steps; t++)
    for (let u = 0; u < units; u++) image.data.set(signed(Number(data[t * units + u]) / most, dark), 4 * (u * steps + t));
  context.putImageData(image, 0, 0);
  return canvas;
}

const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
function signed(value, dark) {
  const [r, g, b] = value < 0 ? [33, 88, 181] : [201, 96, 16], part = Math.min(1, Math.abs(value)), base = dark ? 26 : 255;
  return [base + (r - base) * part, base + (g - base) * part, base + (b - base) * part, 255];
}

/** The channels of a layer, each from its least number to its largest. */
function pictures(title, { data, shape }) {
  const [, height, width, channels] = shape, shown = Math.min(channels, 32), row = make("div", { className: "maps" });
  for (let channel = 0; channel < shown; channel++) {
    const canvas = make("canvas", { width, height }), context = canvas.getContext("2d");
    const image = context.createImageData(width, height), own = [];
    for (let i = 0; i < height * width; i++) own.push(Number(data[i * channels + channel]));
    const low = Math.min(...own), high = Math.max(...own), range = high - low || 1;
    own.forEach((value, i) => {
      const grey = 255 * (value - low) / range;
      image.data.set([grey, grey, grey, 255], 4 * i);
    });
    context.putImageData(image, 0, 0);
    row.append(canvas);
  }
  const caption = `${title}: ${shown < channels ? `${shown} of ` : ""}${channels} × ${height}×${width}`;
  row.setAttribute("role", "img");
  row.setAttribute("aria-label", caption);
  return make("figure", {}, make("figcaption", { textContent: caption }), row);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
try {
  network = await load(facts.module);
  $("about").textContent = `${facts.input}: ${describe(network.inputs[0])}. All is computed in this page; nothing is sent.`;
} catch (error) {
  $("about").textContent = "";
  problem(location.protocol === "file:" ? "Open this page from a web server: browsers do not load modules from files."
    : `The network does not load: ${error.message}`);
  throw error;
}
const input = network.inputs.find((info) => info.name === facts.input);
