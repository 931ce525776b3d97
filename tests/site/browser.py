"""The built site, and what its tests ask of a page in Chromium."""

import importlib.resources
import itertools
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from publishing import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

SITE = ROOT / "_build/html"
PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts)
IN_THEORY = [page for page in PAGES if page.startswith(("book/diffusion/", "book/inertia/"))]
OTHERS = [page for page in PAGES if page not in IN_THEORY and page != "index.html"]  # which only redirects
"""All pages in two groups that take about as long, so that two workers share the visits."""
SCHEMES, WIDTHS = ("light", "dark"), (1280, 390)

_SURVEY = r"""() => {
  const all = selector => [...document.querySelectorAll(selector)];
  const name = e => `<${e.tagName.toLowerCase()} class="${e.getAttribute('class') || ''}"> `
    + e.textContent.trim().slice(0, 60);
  const article = document.querySelector('article') || document.body;
  const prose = document.createTreeWalker(article, NodeFilter.SHOW_TEXT, text =>
    text.parentElement.closest('pre, code, script, style, mjx-container') ? 2 : 1);
  const raw = [];
  while (prose.nextNode())
    if (/\$|\\[([]|\\begin\{/.test(prose.currentNode.data)) raw.push(prose.currentNode.data.trim().slice(0, 60));
  const hides = e => {
    const style = getComputedStyle(e);
    return /hidden|clip/.test(style.overflowX) && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1
      && !e.closest('mjx-container, svg, .visually-hidden');
  };
  const root = document.documentElement;
  const ids = all('svg [id], svg[id]').map(e => e.id);
  return {
    'MathJax errors': all('mjx-merror, [data-mjx-error]').map(name),
    'unrendered maths': raw,
    'images without alternative text': all('article img, svg[role=img]:not([aria-hidden=true])').filter(e =>
      !(e.alt || e.querySelector('title')?.textContent || '').trim()).map(name),
    'images that did not load': [...document.images].filter(e =>
      e.checkVisibility() && e.complete && !e.naturalWidth).map(e => e.src),
    'clipped elements': [...article.querySelectorAll('*')].filter(hides).map(name),
    'ids that occur twice': ids.filter((id, i) => ids.indexOf(id) !== i),
    'pixels of horizontal scroll': Math.max(0, root.scrollWidth - root.clientWidth),
  };
}"""

# Axe spends most of its time on contrast, so it looks at one text of each look: what it is painted with, and on. All
# its other rules hear of every element, but of one piece only of each kind of highlighted code; they know no colours.
_ACCESSIBILITY = """async rules => {
  const seen = new Set();
  const first = look => !seen.has(look) && seen.add(look);
  document.querySelectorAll('pre span').forEach(e => first(e.className) || e.replaceWith(...e.childNodes));
  document.querySelectorAll('mjx-container').forEach(e => e.replaceWith('formula'));
  await new Promise(done => setTimeout(done, 400));  // the theme sees in 300 ms which tables are too wide now
  const grounds = new Map([[null, '']]);
  const ground = e => {
    if (!grounds.has(e)) {
      const {backgroundColor, backgroundImage, opacity} = getComputedStyle(e);
      const own = `${backgroundColor}${backgroundImage}${opacity}`;
      grounds.set(e, own === 'rgba(0, 0, 0, 0)none1' ? ground(e.parentElement) : `${ground(e.parentElement)}/${own}`);
    }
    return grounds.get(e);
  };
  const look = e => {
    const {color, fontSize, fontWeight} = getComputedStyle(e);
    return `${ground(e)}/${color}${fontSize}${fontWeight}`;
  };
  const says = e => [...e.childNodes].some(child => child.nodeType === Node.TEXT_NODE && child.data.trim());
  const texts = [...document.body.querySelectorAll('*')].filter(e => e.checkVisibility() && says(e) && first(look(e)));
  texts.forEach(e => e.setAttribute('data-first', ''));
  const wrong = {resultTypes: ['violations']};
  const found = [await axe.run({include: ['[data-first]']}, {...wrong, runOnly: ['color-contrast']})];
  texts.forEach(e => e.removeAttribute('data-first'));
  if (rules !== 'contrast')
    found.push(await axe.run(document, {...wrong, rules: {'color-contrast': {enabled: false}}}));
  return found.flatMap(({violations}) => violations).map(v =>
    `${v.id}: ${v.help}: ${v.nodes.length} times, first ${v.nodes[0].html.slice(0, 200)}`);
}"""


def open_page(tab: "Page", url: str, width: int = WIDTHS[0]) -> None:
    """Load a page and wait until its formulas are set."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(url)
    tab.evaluate("() => window.MathJax?.startup?.promise")


def turn(tab: "Page", scheme: str) -> None:
    """Change the colour scheme, as a reader's system does, and wait until the page has followed."""
    tab.emulate_media(color_scheme=scheme)
    tab.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)


def load_axe(tab: "Page") -> None:
    """Add axe-core to the open page; it asks for style sheets that are not there."""
    tab.add_script_tag(
        content=importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    )


def accessibility_faults(tab: "Page", rules: str = "all") -> list[str]:
    """Return what axe-core finds wrong: by all its rules (WCAG 2.2 AA and best practices), or by contrast."""
    return tab.evaluate(_ACCESSIBILITY, rules)


@cache
def targets(page: Path) -> set[str]:
    """Return all that a link to a page may name after the #."""
    return set(re.findall(r'\bid="([^"]+)"', page.read_text("utf-8")))


def page_faults(page: str, tab: "Page", address: str, troubles: list[str]) -> list[str]:
    """Visit a page once, and return what is wrong with it in either scheme, wide or narrow.

    Where the environment names a folder as ADAI_SCREENSHOTS, pictures of the page are left there.
    """
    faults = []
    open_page(tab, address + page)
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        turn(tab, scheme)
        tab.set_viewport_size({"width": width, "height": 900})
        found = {what: where for what, where in tab.evaluate(_SURVEY).items() if where}
        faults += [f"{scheme}, {width} px: {what}: {where}" for what, where in found.items()]
        if folder := os.environ.get("ADAI_SCREENSHOTS"):
            shot = f"{page.removesuffix('.html').replace('/', '-')}-{scheme}-{width}.png"
            tab.screenshot(path=Path(folder) / shot, full_page=True, animations="disabled")
    faults += troubles
    tab.set_viewport_size({"width": WIDTHS[0], "height": 900})
    load_axe(tab)
    for scheme in SCHEMES:
        turn(tab, scheme)
        rules = "all" if scheme == SCHEMES[0] else "contrast"
        faults += [f"{scheme}: {fault}" for fault in accessibility_faults(tab, rules)]
    turn(tab, SCHEMES[0])
    return faults
