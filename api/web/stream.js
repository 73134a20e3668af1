const features = Number(input.shape[2]), chunk = network.dims.find((one) => one.name === input.shape[1]), KEPT = 160;
const group = Math.max(1, chunk?.multiple_of ?? 1), given = [], told = new Map(), kept = new Map();
const sliders = Array.from({ length: features }, (_, i) => {
  const slider = make("input", { type: "range", min: -1, max: 1, step: 0.01, value: 0, ariaLabel: `${facts.input} ${i + 1}` });
  $("sliders").append(make("label", {}, `${facts.input} ${i + 1}`, slider));
  return slider;
});
let time = 0, timer = null;

const value = (feature) => ({
  sliders: () => Number(sliders[feature].value),
  waves: () => Math.sin(2 * Math.PI * time / (16 + 5 * feature)),
  noise: () => 2 * Math.random() - 1,
})[$("source").value]();

function take() {
  const steps = [];
  for (let i = 0; i < group; i++, time++) steps.push(Array.from({ length: features }, (_, feature) => value(feature)));
  try {
    const answers = network.run({ [facts.input]: { data: steps.flat(), shape: [1, group, features] } });
    given.push(...steps);
    for (const [name, one] of Object.entries(answers)) note(told, name, one);
    for (const [name, one] of Object.entries(network.remembered())) note(kept, name, one);
    problem("");
  } catch (error) { problem(error.message); stop(); }
  paint();
}

function note(history, name, { data, shape }) {
  if (!history.has(name)) history.set(name, []);
  const rows = history.get(name), own = [...data].map(Number).slice(0, 256);
  if (!own.length) return;
  rows.push(own);
  if (rows.length > KEPT) rows.shift();
}

function strip(title, rows, canvas) {
  const units = rows.at(-1)?.length ?? 1, even = rows.filter((row) => row.length === units);
  const picture = heat(even.flat(), even.length, units, canvas);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `${title} over time`);
  return picture;
}

function paint() {
  redraw = paint;
  given.splice(0, Math.max(0, given.length - KEPT));
  if (given.length) strip("given", given, $("wave"));
  const now = [...told].map(([name, rows]) => make("figure", {}, make("figcaption", {
    textContent: `${name}: ${rows.at(-1).slice(0, 6).map((n) => (facts.labels[name] ? facts.labels[name][n] ?? "–" : n.toPrecision(3))).join(", ")}`,
  }), strip(name, rows)));
  $("results").replaceChildren(...now);
  const states = [...kept].filter(([, rows]) => rows.length).map(([name, rows]) => make("figure", {}, make("figcaption", { textContent: `${name.replace(/^stream\./, "")}: ${rows.at(-1).length} numbers` }), strip(name, rows)));
  $("inside").hidden = !states.length;
  $("maps").replaceChildren(...states);
}

function stop() {
  clearInterval(timer);
  timer = null;
  $("run").textContent = "Run";
  $("run").setAttribute("aria-pressed", "false");
}
$("run").addEventListener("click", () => {
  if (timer) { stop(); return; }
  timer = setInterval(take, 60);
  $("run").textContent = "Pause";
  $("run").setAttribute("aria-pressed", "true");
});
$("step").addEventListener("click", take);
$("forget").addEventListener("click", () => {
  network.reset();
  for (const history of [told, kept]) history.clear();
  given.length = 0;
  paint();
});
take();
