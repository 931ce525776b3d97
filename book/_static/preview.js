/* Shows what a link leads to, an equation, a statement, a work or an exercise, while it is pointed at or focused.
   The target's page is asked for once, and only then; where that fails (a page opened as a file), the link is just a
   link. Escape closes; a preview that is pointed at stays. */
"use strict";

const LINKS = "article a.reference.internal[href*='#']", PREVIEWED = ".math, .proof, .citation, .exercise";
const documents = new Map([[location.pathname, Promise.resolve(document)]]);
let wanted = null, shown = null, timer = 0;

document.addEventListener("mouseover", ({ target }) => want(target));
document.addEventListener("focusin", ({ target }) => want(target));
document.addEventListener("focusout", () => { clearTimeout(timer); wanted = null; close(); });
document.addEventListener("keydown", ({ key }) => { if (key === "Escape") close(); });

function want(element) {
  const focused = document.activeElement?.matches(LINKS) ? document.activeElement : null;
  const link = element.closest(".adai-preview") ? shown?.link : element.closest(LINKS) ?? focused;
  if (link === wanted) return;
  clearTimeout(timer);
  wanted = link;
  timer = setTimeout(() => { if (link !== shown?.link) close(); if (link && !shown) show(link); }, 250);
}

async function show(link) {
  const target = await find(new URL(link.href));
  if (!target || shown || link !== wanted) return;
  const box = Object.assign(document.createElement("div"), { className: "adai-preview", id: "adai-preview", role: "tooltip" });
  const copy = document.importNode(target, true);
  for (const named of [copy, ...copy.querySelectorAll("[id]")]) named.removeAttribute("id");
  for (const spare of copy.querySelectorAll(".headerlink, script")) spare.remove();
  box.append(copy);
  document.body.append(box);
  link.setAttribute("aria-describedby", box.id);
  shown = { link, box };
  if (target.ownerDocument !== document) await window.MathJax?.typesetPromise?.([box]);
  place(box, link.getBoundingClientRect());
}

async function find(url) {
  if (!documents.has(url.pathname))
    documents.set(url.pathname, fetch(url.pathname).then(answer => answer.text())
      .then(text => new DOMParser().parseFromString(text, "text/html")).catch(() => null));
  const target = (await documents.get(url.pathname))?.getElementById(decodeURIComponent(url.hash.slice(1)));
  return target?.matches(PREVIEWED) ? target : null;
}

function place(box, link) {
  const left = Math.min(link.left, document.documentElement.clientWidth - box.offsetWidth - 8);
  const below = link.bottom + 6 + box.offsetHeight < innerHeight;
  box.style.left = `${scrollX + Math.max(8, left)}px`;
  box.style.top = `${scrollY + (below ? link.bottom + 6 : Math.max(8, link.top - box.offsetHeight - 6))}px`;
}

function close() {
  shown?.link.removeAttribute("aria-describedby");
  shown?.box.remove();
  shown = null;
}
