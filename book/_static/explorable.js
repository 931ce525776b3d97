/* Sliders under the figures of adai.book.explore. The page hands over, for each figure, its axes, its sliders and its
   curves as plain functions; the figure itself stands in the page already. Sliders are made here, so that a page without
   script shows none. Only the curves' paths change: axes, colours and legend stay matplotlib's, in light and in dark. */
"use strict";

for (const figure of window.adaiExplorables ?? []) bringToLife(figure);

function bringToLife({ id, x, y, points, read_at, sliders, curves }) {
  const part = name => document.getElementById(`${id}-${name}`);
  // The plot's rectangle, from its lower left corner on; read from the path, for a hidden one has no bounding box.
  const corners = part("plot").querySelector("path").getAttribute("d");
  const [left, bottom, , , right, top] = corners.match(/[\d.]+/g).map(Number);
  const across = scale(x, left, right);
  const up = scale(y, bottom, top);
  const text = value => String(Number(value.toPrecision(3))).replaceAll("-", "−");

  const panel = append(part("explorable"), "div", { class: "adai-sliders", role: "group", "aria-label": "Sliders" });
  const inputs = sliders.map(({ symbol, label, from, to, step, start }) => {
    const name = `${id}-${symbol}`;
    append(panel, "label", { for: name }, label);
    const input = append(panel, "input", { id: name, type: "range", min: from, max: to, step, value: start });
    // A range tells its own value; announced as well, each would be heard twice.
    input.shown = append(panel, "output", { for: name, "aria-live": "off" });
    input.addEventListener("input", draw);
    return input;
  });
  append(panel, "button", { type: "button" }, "Reset").addEventListener("click", () => {
    for (const input of inputs) input.value = input.defaultValue;
    draw();
  });
  const readings = append(panel, "p", { role: "status" });
  part("settings").style.display = "none"; // the sliders show the values now; removed, it would take letters along
  let waiting;
  draw();

  function draw() {
    const values = inputs.map(input => input.valueAsNumber);
    for (const input of inputs) input.shown.textContent = text(input.valueAsNumber);
    const read = curves.map(({ label, at }, i) => {
      const heights = points.map(point => at(point, ...values));
      // A curve with a hole is not drawn at all, and says so, rather than end as if it had a reason to.
      const defined = heights.every(Number.isFinite);
      const path = heights.map((height, n) => `${n ? "L" : "M"}${across(points[n])} ${up(height)}`).join("");
      part(`curve-${i}`).querySelector("path").setAttribute("d", defined ? path : "");
      part(`key-${i}`).style.opacity = defined ? 1 : 0.25;
      return `${label}: ${defined ? text(at(read_at, ...values)) : "not defined here"}`;
    });
    // Spoken by screen readers, hence only once the slider rests.
    clearTimeout(waiting);
    waiting = setTimeout(() => (readings.textContent = `At ${x.name} = ${text(read_at)}: ${read.join("; ")}`), 300);
  }
}

/* From a value to a coordinate between two ends; what lies far outside is kept near, where the plot clips it. */
function scale({ from, to, log }, start, end) {
  const along = log ? value => Math.log(Math.max(value, 0)) : value => value;
  const share = value => (along(value) - along(from)) / (along(to) - along(from));
  return value => (start + (end - start) * Math.min(Math.max(share(value), -99), 99)).toFixed(2);
}

function append(parent, tag, attributes, content = "") {
  const child = parent.appendChild(document.createElement(tag));
  for (const [name, value] of Object.entries(attributes)) child.setAttribute(name, value);
  child.textContent = content;
  return child;
}
