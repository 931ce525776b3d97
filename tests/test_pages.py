"""Every page of the built site, looked at in a browser: light and dark, on a desk and in a hand."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[1] / "_build/html"
PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts)
SCHEMES, WIDTHS = ("light", "dark"), (1280, 390)

SURVEY = r"""() => {
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


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address under which the built site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def tabs(address: str) -> Iterator[dict]:
    """A tab of headless Chromium for each colour scheme; a reader's machine may lack the browser, CI must not."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        missing = "no Chromium found, so no page was looked at: install the package chromium"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield {scheme: chromium.new_context(color_scheme=scheme).new_page() for scheme in SCHEMES}
        chromium.close()


@pytest.fixture
def troubles(tabs: dict, address: str) -> Iterator[list[str]]:
    """What the tabs ask other hosts for, and what goes wrong in their scripts, during one test."""
    seen: list[str] = []

    def on_error(error: object) -> None:
        seen.append(f"page error: {error}")

    def on_request(request: object) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            seen.append(f"request to a foreign host: {request.url}")

    def on_response(response: object) -> None:
        if response.status >= 400:
            seen.append(f"status {response.status}: {response.url}")

    handlers = {"pageerror": on_error, "request": on_request, "response": on_response}
    for tab in tabs.values():
        for event, handler in handlers.items():
            tab.on(event, handler)
    yield seen
    for tab in tabs.values():
        for event, handler in handlers.items():
            tab.remove_listener(event, handler)


def open_page(tab: object, url: str, width: int) -> None:
    """Load a page and wait until its formulas are set."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(url)
    tab.evaluate("() => window.MathJax?.startup?.promise")


@cache
def targets(page: Path) -> set[str]:
    """All that a link to a page may name after the #."""
    return set(re.findall(r'\bid="([^"]+)"', page.read_text("utf-8")))


def test_the_site_is_built() -> None:
    assert PAGES, f"{SITE} holds no page: run `make book` first"


@pytest.mark.parametrize("page", [page for page in PAGES if page != "index.html"])  # which only redirects
def test_page_is_sound(page: str, tabs: dict, address: str, troubles: list[str]) -> None:
    faults = []
    for scheme, tab in tabs.items():
        for width in WIDTHS:
            if width == WIDTHS[0]:
                open_page(tab, address + page, width)
            else:
                tab.set_viewport_size({"width": width, "height": 900})
            found = {what: where for what, where in tab.evaluate(SURVEY).items() if where}
            faults += [f"{scheme}, {width} px: {what}: {where}" for what, where in found.items()]
            if folder := os.environ.get("ADAI_SCREENSHOTS"):
                shot = f"{page.removesuffix('.html').replace('/', '-')}-{scheme}-{width}.png"
                tab.screenshot(path=Path(folder) / shot, full_page=True, animations="disabled")
    faults += troubles
    assert not faults, f"{page}:\n" + "\n".join(faults)


@pytest.mark.parametrize("page", PAGES)
def test_internal_links_resolve(page: str) -> None:
    broken = []
    for link in re.findall(r'\b(?:href|src|url)="?([^">]+)"', (SITE / page).read_text("utf-8")):
        parts = urlsplit(link.replace("&amp;", "&"))
        if parts.scheme or parts.netloc:
            continue
        target = ((SITE / page).parent / unquote(parts.path)).resolve() if parts.path else SITE / page
        if not target.is_file():
            broken.append(f"{link}: no such file")
        elif parts.fragment and unquote(parts.fragment) not in targets(target):
            broken.append(f"{link}: no such place on that page")
    assert not broken, f"{page}:\n" + "\n".join(broken)


def test_figures_follow_the_theme(tabs: dict, address: str) -> None:
    page = next(p for p in PAGES if "var(--adai-ink)" in (SITE / p).read_text("utf-8"))
    inks = []
    for tab in tabs.values():
        open_page(tab, address + page, WIDTHS[0])
        inks.append(
            tab.evaluate(
                "() => getComputedStyle(document.querySelector('.adai-figure [style*=\"fill: var(--adai-ink)\"]')).fill"
            )
        )
    assert len(set(inks)) == 2, f"{page}: ink is {inks[0]} in light and in dark"
