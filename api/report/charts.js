"use strict";
// Draws the charts of the page with uPlot, one after the other, and again when an option changes.
(() => {
  const charts = JSON.parse(document.getElementById("the-charts").textContent);
  const options = { log: false, zero: false, smooth: 0, hidden: new Set() };
  const drawn = new Map();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Hues of runs are far apart, those of layers go from the input's blue to the output's red.
  const RUNS = [215, 24, 145, 280, 340, 50, 185, 100];
  const several = () => document.querySelectorAll("[data-run]").length > 1;
  const hue = (degrees, faint) => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return `hsl(${degrees} 65% ${dark ? 68 : 42}% / ${faint ? 0.35 : 1})`;
  };
  const stroke = (line, number, count, faint) => {
    if (line.part === "ordered") return hue(230 + (count > 1 ? (number / (count - 1)) * 130 : 0), faint);
    if (several()) return hue(RUNS[line.run % RUNS.length], faint);
    const base = colour(line.part === "valid" ? "--valid" : "--train");
    return faint ? `color-mix(in srgb, ${base} 35%, transparent)` : base;
  };

  // An exponential mean, without the pull of its first value (as Adam corrects its moments).
  const smoothed = (values, weight) => {
    let mean = 0;
    let total = 0;
    return values.map((value) => {
      if (value === null) return null;
      mean = weight * mean + (1 - weight) * value;
      total = weight * total + (1 - weight);
      return mean / total;
    });
  };

  const short = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(3);
    return String(Number(value.toPrecision(5)));
  };
  const tick = (value) => {
    if (value === null) return "";
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-4 || size >= 1e5) ? value.toExponential(0).replace("+", "") : String(Number(value.toPrecision(6)));
  };

  // The data and the series of a chart as the options are.
  const prepared = (chart, log) => {
    const tables = [];
    const series = [{ label: chart.x, value: (u, x) => short(x) }];
    const shown = chart.lines.filter((line) => !options.hidden.has(line.run));
    const smooth = chart.smooth ? options.smooth : 0;
    for (const [number, line] of shown.entries()) {
      const usable = (values) => (log ? values.map((value) => (value !== null && value > 0 ? value : null)) : values);
      const faint = line.part === "steps";
      const width = faint ? 1 : 2;
      const bars = chart.kind === "histogram";
      const look = {
        label: line.name,
        value: (u, y) => short(y),
        spanGaps: true,
        dash: several() && line.part === "train" && shown.some((other) => other.part === "valid") ? [6, 4] : undefined,
        points: { show: !bars && line.x.length < 40 && !faint, size: 5 },
      };
      if (bars) {
        look.paths = uPlot.paths.stepped({ align: 0 });
        look.fill = stroke(line, number, shown.length, true);
      }
      if (smooth > 0 && !bars) {
        const seen = stroke(line, number, shown.length, true);
        tables.push([line.x, usable(line.y)]);
        series.push({ ...look, label: `${line.name}, each`, stroke: seen, width: 1, points: { show: false } });
      }
      tables.push([line.x, usable(smooth > 0 && !bars ? smoothed(line.y, smooth) : line.y)]);
      series.push({ ...look, stroke: stroke(line, number, shown.length, faint && smooth === 0), width });
    }
    return { data: tables.length ? uPlot.join(tables) : [[0]], series };
  };

  const marks = (chart) => (u) => {
    for (const [run, x, text] of chart.marks) {
      if (options.hidden.has(run)) continue;
      const at = u.valToPos(x, "x", true);
      if (at < u.bbox.left || at > u.bbox.left + u.bbox.width) continue;
      const { ctx } = u;
      ctx.save();
      ctx.strokeStyle = several() ? hue(RUNS[run % RUNS.length]) : colour("--quiet");
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(at, u.bbox.top);
      ctx.lineTo(at, u.bbox.top + u.bbox.height);
      ctx.stroke();
      ctx.fillStyle = ctx.strokeStyle;
      ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
      const right = at > u.bbox.left + u.bbox.width * 0.8;
      ctx.textAlign = right ? "right" : "left";
      ctx.fillText(text, at + (right ? 4 : -4) * devicePixelRatio, u.bbox.top - 5 * devicePixelRatio);
      ctx.restore();
    }
  };

  const draw = (place) => {
    const chart = charts[Number(place.dataset.chart)];
    drawn.get(place)?.destroy();
    place.replaceChildren();
    const bars = chart.kind === "histogram";
    const positive = chart.lines.some((line) => line.y.some((y) => y !== null && y > 0));
    const log = !bars && positive && (chart.smooth ? options.log : chart.log);
    const { data, series } = prepared(chart, log);
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const whole = ["epoch", "step", "t"].includes(chart.x);
    const u = new uPlot({
      width: Math.max(place.clientWidth, 160),
      height: bars ? 130 : 230,
      padding: [bars ? 8 : 20, 14, 0, 0],
      scales: {
        x: { time: false, range: chart.x === "epoch" ? (u, low, high) => [low, Math.max(high, low + 1)] : undefined },
        y: log
          ? { distr: 3 }
          : { range: (u, low, high) => {
            if (low === null) return [0, 1];
            return uPlot.rangeNum(bars || (chart.smooth && options.zero) ? Math.min(low, 0) : low, high, { min: { pad: bars ? 0 : 0.06, soft: bars ? 0 : undefined, mode: bars ? 1 : 0 }, max: { pad: 0.06 } });
          } },
      },
      axes: [
        { ...axis, size: 28, space: 46, incrs: whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5] : undefined, values: (u, all) => all.map(tick) },
        { ...axis, size: bars ? 44 : 56, space: bars ? 24 : 30, values: (u, all) => all.map(tick) },
      ],
      series,
      legend: { live: !bars, markers: { width: 2 } },
      cursor: { y: false, focus: { prox: series.length > 6 ? 24 : -1 }, drag: { x: true, y: false }, points: { size: 7 } },
      focus: { alpha: 0.25 },
      hooks: {
        draw: [marks(chart)],
        ready: [(u) => { if (!bars) u.setLegend({ idx: u.data[0].length - 1 }); }], // until something is pointed at
      },
    }, data, place);
    drawn.set(place, u);
  };

  const places = document.querySelectorAll("[data-chart]");
  const waiting = [...places];
  const next = () => {
    const place = waiting.shift();
    if (!place) return;
    if (!drawn.has(place)) draw(place);
    setTimeout(next);
  };
  next();
  const again = (concerns = () => true) => {
    for (const place of [...drawn.keys()]) if (concerns(charts[Number(place.dataset.chart)])) draw(place);
  };

  // A finger across a chart reads its values; up and down scrolls the page.
  for (const place of places) {
    const read = (index) => {
      const u = drawn.get(place);
      if (!u || index < 0 || index >= u.data[0].length) return;
      u.setCursor({ left: u.valToPos(u.data[0][index], "x"), top: 10 });
    };
    place.addEventListener("pointermove", (event) => {
      const u = drawn.get(place);
      if (event.pointerType !== "touch" || !u) return;
      u.setCursor({ left: event.clientX - u.over.getBoundingClientRect().left, top: 10 });
    });
    place.addEventListener("keydown", (event) => {
      const u = drawn.get(place);
      const steps = { ArrowLeft: -1, ArrowRight: 1 };
      if (!u || !(event.key in steps)) return;
      read((u.cursor.idx ?? (event.key === "ArrowRight" ? -1 : u.data[0].length)) + steps[event.key]);
      event.preventDefault();
    });
  }

  for (const control of document.querySelectorAll("[data-option]")) {
    control.addEventListener("input", () => {
      options[control.dataset.option] = control.type === "checkbox" ? control.checked : Number(control.value);
      again((chart) => chart.smooth);
    });
  }
  for (const box of document.querySelectorAll("[data-run]")) {
    const run = Number(box.dataset.run);
    box.parentElement.style.setProperty("--run", String(RUNS[run % RUNS.length]));
    box.addEventListener("input", () => {
      options.hidden[box.checked ? "delete" : "add"](run);
      again();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => again());
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    again();
  });
})();
