/* Runs a chapter's cells in the page itself. Nothing is loaded before the reader asks for it; then each cell becomes an
   editor with a button, and what it shows takes the place of what is stored. Without script the page offers nothing. */
"use strict";

(() => {
  const { src, dataset } = document.currentScript;
  const colab = document.querySelector('a[href^="https://colab.research.google.com"]')?.href;
  const cells = [...document.querySelectorAll("div.cell")].filter(cell => cell.querySelector(".cell_input pre"));
  const NAMES = { numpy: "NumPy", scipy: "SciPy", torch: "PyTorch", sklearn: "scikit-learn" };
  let kernel; // from the first need of it on: a promise of a function that runs a cell
  let worker, answered, queue;

  const main = element("button", { type: "button" });
  const bar = element("progress", { "aria-label": "Progress", hidden: "" });
  const status = element("p", { role: "status" });
  const about = element("p", {}, `Fetches Python with SymPy from this site (${Math.round(dataset.bytes / 1e6)} MB) and runs
    the cells on your own machine, where you can change them. Those that need NumPy, matplotlib or PyTorch stay as they
    are`);
  about.append(...(colab ? [": ", link("open this page in Colab"), " to run them"] : []), ".");
  const panel = element("section", { class: "adai-live", "aria-label": "Run this page" });
  panel.append(main, bar, status, about);
  document.querySelector("article h1").after(panel);
  offer("Run this page here", begin);
  if (location.protocol === "file:") {
    main.disabled = true;
    say("Not from a file: a browser starts Python only on a page that comes from a server, such as “make serve”.");
  }

  // The panel: one button, which does what can be done now, so that the focus stays on it.

  function offer(label, action, progress = 0) {
    main.textContent = label;
    main.onclick = action;
    bar.max = progress || 1;
    bar.value = 0;
    bar.hidden = !progress;
  }

  function say(text) {
    status.textContent = text;
  }

  function ready(message) {
    offer("Run all cells", () => runUntil(cells.length - 1));
    say(message);
  }

  // The kernel.

  async function begin() {
    cells.forEach(open);
    await start();
    ready("Python is ready. Shift+Enter runs the cell that you are in, and first those above it that have not run.");
  }

  function start() {
    return (kernel ??= new Promise(resolve => {
      offer("Stop", stop, dataset.bytes);
      say("Fetching Python …");
      const fail = reason => end(`Python did not start: ${reason}. The page is as it was. Try again, or open it in Colab.`);
      worker = new Worker(new URL("worker.mjs", src), { type: "module" });
      worker.onerror = event => fail(event.message || "its files did not come");
      worker.onmessage = ({ data }) => {
        if (data.received) bar.value = data.received;
        else if (data.starting) say("Starting Python …");
        else if (data.failed) fail(data.failed);
        else if (data.ready) resolve(run);
        else answered(data);
      };
    }));
  }

  function run(cell, source) {
    worker.postMessage({ cell, source });
    return new Promise(resolve => (answered = resolve));
  }

  function stop() {
    end("Stopped. What you typed is still there; what Python had computed is forgotten.");
  }

  /* Ends the kernel, and with it all that waits for an answer; the next run starts another. */
  function end(message) {
    worker.terminate();
    kernel = queue = undefined;
    for (const cell of cells) {
      cell.hasRun = false;
      mark(cell, false);
    }
    offer("Run this page here", begin);
    say(message);
  }

  /* Runs a cell and first those above it that have not run, so that the names it uses are there. */
  function runUntil(last) {
    const due = cells.slice(0, last + 1).filter((cell, n) => n === last || !cell.hasRun);
    queue = Promise.resolve(queue).then(() => runEach(due));
  }

  async function runEach(due) {
    const run = await start();
    offer("Stop", stop, due.length);
    say(`Running ${due.length === 1 ? nameOf(due[0]) : `${due.length} cells`} …`);
    let left = 0;
    for (const [n, cell] of due.entries()) {
      mark(cell, true);
      const result = await run(nameOf(cell), sourceOf(cell));
      mark(cell, false);
      show(cell, result);
      bar.value = n + 1;
      left += Boolean(result.needs);
      if (result.error) return ready(`${nameOf(cell)} raises an error; the run ended there.`);
      cell.hasRun = true;
    }
    const ran = due.length - left;
    ready(`${ran} of ${due.length} ran${left ? `; ${left} need what is not here, and stay as they are` : ""}.`);
  }

  // The cells.

  function nameOf(cell) {
    return `Cell ${cells.indexOf(cell) + 1}`;
  }

  function open(cell) {
    if (cell.editor) return;
    cell.editor = cell.querySelector(".cell_input pre");
    // Browsers before 2025 do not know this kind of editor: there a cell can run but not be changed.
    set(cell.editor, { contenteditable: "plaintext-only", spellcheck: "false", autocapitalize: "off" });
    set(cell.editor, { role: "textbox", "aria-multiline": "true", "aria-label": nameOf(cell) });
    const go = () => runUntil(cells.indexOf(cell));
    cell.editor.addEventListener("keydown", event => {
      event.stopPropagation(); // the page has shortcuts of its own: / searches
      if (event.key !== "Enter" || !(event.shiftKey || event.ctrlKey)) return;
      event.preventDefault();
      go();
    });
    cell.button = element("button", { type: "button", class: "adai-live-run" });
    cell.button.onclick = go;
    cell.querySelector(".cell_input").after(cell.button);
    mark(cell, false);
  }

  function sourceOf({ editor }) {
    for (const end of editor.querySelectorAll("br")) end.replaceWith("\n");
    return editor.textContent.replaceAll("\u00a0", " "); // innerText is empty in a folded exercise
  }

  function mark(cell, running) {
    cell.classList.toggle("adai-live-running", running);
    cell.button.textContent = running ? `${nameOf(cell)} is running …` : `Run ${nameOf(cell).toLowerCase()}`;
  }

  function show(cell, { outputs, needs, error }) {
    cell.querySelector(".adai-live-note")?.remove();
    let output = cell.querySelector(".cell_output");
    if (needs) {
      const stored = output ? "Shown is what is stored. " : "";
      const note = element("p", { class: "adai-live-note" }, `Needs ${NAMES[needs] ?? needs}, which is not here. ${stored}`);
      if (colab) note.append(link("Open in Colab"), ".");
      return cell.button.after(note);
    }
    if (!output) cell.append((output = element("div", { class: "cell_output" })));
    output.replaceChildren(...outputs.flatMap(shown));
    if (error) output.append(element("pre", { class: "adai-live-error" }, error));
    MathJax.startup.promise = MathJax.startup.promise.then(() => MathJax.typesetPromise([output]));
  }

  function link(text) {
    return element("a", { href: colab }, text);
  }

  /* An output, given by MIME type, as elements. */
  function shown(data) {
    const formula = data["text/latex"]?.replace(/^\$|\$$/g, "$$$$"); // displayed, as the stored ones are
    const rich = data["text/markdown"] ?? formula;
    return rich ? rich.trim().split(/\n\n+/).map(paragraph) : [element("pre", {}, data["text/plain"])];
  }

  /* A paragraph with formulas, bold words and code, which is all that our outputs have of Markdown. */
  function paragraph(text) {
    const p = element("div", { class: "adai-live-text" });
    for (const [, display, inline, bold, code, plain] of text.matchAll(
      /\$\$([^]+?)\$\$|\$([^$]+)\$|\*\*(.+?)\*\*|`(.+?)`|([^$*`]+|.)/g)) {
      if (display) p.append(element("div", { class: "math" }, `\\[${display}\\]`));
      else if (inline) p.append(element("span", { class: "math" }, `\\(${inline}\\)`));
      else if (bold) p.append(element("strong", {}, bold));
      else if (code) p.append(element("code", {}, code));
      else p.append(plain);
    }
    return p;
  }

  function element(tag, attributes, text = "") {
    const made = document.createElement(tag);
    set(made, attributes);
    made.textContent = text;
    return made;
  }

  function set(made, attributes) {
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  }
})();
