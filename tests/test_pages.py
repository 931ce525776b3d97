"""Every page of the built site, looked at in a browser: light and dark, on a desk and in a hand."""

import gzip
import importlib.resources
import itertools
import os
import random
import re
import shutil
import threading
from collections.abc import Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import mpmath
import nbformat
import numpy as np
import pytest
import sympy as sp
from fontTools.ttLib import TTFont

from adai.book import ledger
from adai.book.explore import Slider, curves
from adai.book.figures import EXPLORABLE, style
from publishing import ROOT
from publishing.figures import explorable, inline_svg

SITE = Path(__file__).parents[1] / "_build/html"
PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts)
SCHEMES, WIDTHS = ("light", "dark"), (1280, 390)
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"

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


# Axe spends most of its time on contrast, so it looks at one text of each look: what it is painted with, and on. All
# its other rules hear of every element, but of one piece only of each kind of highlighted code; they know no colours.
ACCESSIBILITY = """async rules => {
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
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", MAC))), None)
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
def test_page_is_sound_and_accessible(page: str, tabs: dict, address: str, troubles: list[str]) -> None:
    """In both schemes, wide and narrow; and by axe-core's rules, WCAG 2.2 AA and best practices, but for MathJax."""
    tab, faults = tabs["light"], []
    open_page(tab, address + page, WIDTHS[0])
    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        turn(tab, scheme)
        tab.set_viewport_size({"width": width, "height": 900})
        found = {what: where for what, where in tab.evaluate(SURVEY).items() if where}
        faults += [f"{scheme}, {width} px: {what}: {where}" for what, where in found.items()]
        if folder := os.environ.get("ADAI_SCREENSHOTS"):
            shot = f"{page.removesuffix('.html').replace('/', '-')}-{scheme}-{width}.png"
            tab.screenshot(path=Path(folder) / shot, full_page=True, animations="disabled")
    faults += troubles
    tab.set_viewport_size({"width": WIDTHS[0], "height": 900})
    tab.add_script_tag(content=axe_core())  # which itself asks for style sheets that are not there
    for scheme in SCHEMES:
        turn(tab, scheme)
        faults += [
            f"{scheme}: {fault}" for fault in tab.evaluate(ACCESSIBILITY, "all" if scheme == SCHEMES[0] else "contrast")
        ]
    turn(tab, SCHEMES[0])
    assert not faults, f"{page}:\n" + "\n".join(faults)


def turn(tab: object, scheme: str) -> None:
    """Change the colour scheme, as a reader's system does, and wait until the page has followed."""
    tab.emulate_media(color_scheme=scheme)
    tab.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)


def axe_core() -> str:
    """Return the source of axe-core."""
    return importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def test_every_icon_has_its_glyph(tabs: dict, address: str) -> None:
    """The site's icon fonts are thinned to what it shows."""
    fonts = (SITE / "_static/vendor/fontawesome/webfonts").glob("*.woff2")
    glyphs = set().union(*(TTFont(font).getBestCmap() for font in fonts))
    asked = """() => [...document.querySelectorAll('*')].flatMap(e => ['::before', '::after'].map(part => {
      const style = getComputedStyle(e, part);
      return style.fontFamily.includes('Awesome') && style.content.length === 3 ? style.content.codePointAt(1) : 0;
    })).filter(code => code > 0xe000)"""
    for page in ("book/diffusion/sgd.html", "book/reference/errata.html"):
        open_page(tabs["light"], address + page, WIDTHS[0])
        icons = set(tabs["light"].evaluate(asked))
        assert len(icons) > 5 and icons <= glyphs, f"{page}: no glyph for {[hex(icon) for icon in icons - glyphs]}"


def test_a_first_visit_is_light(tabs: dict, address: str) -> None:
    """The front page, and the longest chapter, take a megabyte at the most as a server sends them, compressed."""
    longest = max(PAGES, key=lambda page: (SITE / page).stat().st_size)
    for page in ("book/welcome.html", longest):
        sent: dict[str, int] = {}

        def on_response(response: object, sent: dict[str, int] = sent) -> None:
            path = SITE / unquote(urlsplit(response.url).path).lstrip("/")
            packed = path.suffix in (".woff", ".woff2", ".png")
            sent[response.url] = path.stat().st_size if packed else len(gzip.compress(path.read_bytes(), 6))

        visit = tabs["light"].context.browser.new_context()  # with nothing in its cache
        tab = visit.new_page()
        tab.on("response", on_response)
        open_page(tab, address + page, WIDTHS[0])
        tab.wait_for_load_state("networkidle")
        visit.close()
        heaviest = sorted(sent.items(), key=lambda item: -item[1])[:5]
        assert sum(sent.values()) <= 1_000_000, f"{page}: {sum(sent.values())} bytes, of them {heaviest}"


def test_the_site_is_light() -> None:
    files = (path for path in SITE.rglob("*") if path.is_file() and "live" not in path.relative_to(SITE).parts)
    assert sum(path.stat().st_size for path in files) <= 40_000_000


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
    open_page(tabs["light"], address + page, WIDTHS[0])
    ink = "() => getComputedStyle(document.querySelector('.adai-figure [style*=\"fill: var(--adai-ink)\"]')).fill"
    inks = []
    for scheme in reversed(SCHEMES):
        turn(tabs["light"], scheme)
        inks.append(tabs["light"].evaluate(ink))
    assert len(set(inks)) == 2, f"{page}: ink is {inks[0]} in light and in dark"


# Explorables --------------------------------------------------------------------------------------


def explorables() -> list[tuple[str, int, dict]]:
    """Each stored figure with sliders: its page, which of the page's it is, and what the chapter stored."""
    found = []
    for notebook in ledger.notebooks(ROOT):
        outputs = [o for c in nbformat.read(notebook, 4).cells for o in c.get("outputs", [])]
        specs = [o["data"][EXPLORABLE] for o in outputs if EXPLORABLE in o.get("data", {})]
        page = notebook.relative_to(ROOT).with_suffix(".html").as_posix()
        found += [(page, number, spec) for number, spec in enumerate(specs)]
    return found


EXPLORABLES = explorables()
each_explorable = pytest.mark.parametrize(
    ("page", "number", "stored"), EXPLORABLES, ids=[f"{page}-{number}" for page, number, _ in EXPLORABLES]
)
SHOWN = """id => ({
  paths: [...document.querySelectorAll(`[id^="${id}-curve-"] path`)].map(path => path.getAttribute('d')),
  values: [...document.querySelectorAll(`#${id}-explorable output`)].map(output => output.textContent),
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
})"""


def open_explorable(tab: object, url: str, number: int) -> str:
    """Load a page; the id of one of its figures with sliders."""
    open_page(tab, url, WIDTHS[0])
    return tab.evaluate(f"() => window.adaiExplorables[{number}].id")


def test_there_are_explorables() -> None:
    assert len(EXPLORABLES) >= 3


def positions(stored: dict, count: int) -> list[list[float]]:
    """A drawn point and where the sliders can stand: at random, all ends, and with each slider at 0 that can be."""
    draw = random.Random("positions")
    chosen = []
    for _ in range(count):
        steps = [draw.randint(0, round((s["to"] - s["from"]) / s["step"])) for s in stored["sliders"]]
        at = [round(s["from"] + n * s["step"], 10) for s, n in zip(stored["sliders"], steps, strict=True)]
        chosen.append([draw.choice(stored["points"]), *at])
    ends = [stored["points"][:1] + stored["points"][-1:], *([s["from"], s["to"]] for s in stored["sliders"])]
    chosen += map(list, itertools.product(*ends))
    zeros = [n for n, s in enumerate(stored["sliders"], start=1) if s["from"] <= 0 <= s["to"]]
    return chosen + [[*at[:n], 0, *at[n + 1 :]] for at in chosen[:20] for n in zeros]


def exactly(stored: dict, curve: dict, at: list[float]) -> mpmath.mpf:
    """The expression that the chapter checked, to a hundred digits; where a slider makes it 0/0, next to that."""
    names = [stored["x"]["symbol"], *(s["symbol"] for s in stored["sliders"])]
    symbols = {name: sp.Symbol(name) for name in names}
    formula = sp.lambdify(symbols.values(), sp.sympify(curve["checked"], locals=symbols), "mpmath")
    with mpmath.workdps(100):
        try:
            value = formula(*map(mpmath.mpf, at))
        except ZeroDivisionError:
            value = formula(*(mpmath.mpf(v) or mpmath.mpf("1e-30") for v in at))
        assert abs(mpmath.im(value)) <= abs(value) * mpmath.mpf("1e-60"), f"{curve['label']} is not real at {at}"
        return mpmath.re(value)


@each_explorable
def test_the_browser_draws_what_the_chapter_checked(
    page: str, number: int, stored: dict, tabs: dict, address: str
) -> None:
    """At random settings to 1e-12; at the start, its curves lie on those of the picture."""
    tab = tabs["light"]
    name = open_explorable(tab, address + page, number)
    points, compared = positions(stored, 60), 0
    for i, curve in enumerate(stored["curves"]):
        call = "([f, c, points]) => points.map(p => window.adaiExplorables[f].curves[c].at(...p))"
        for at, found in zip(points, tab.evaluate(call, [number, i, points]), strict=True):
            exact = exactly(stored, curve, at)
            # What is smaller than the plot by twenty orders need not keep its digits: the far tail of a bell.
            negligible = 1e-20 * stored["y"]["to"]
            assert abs(found - exact) <= 1e-12 * abs(exact) + negligible, f"{curve['label']} at {at}: {found}, {exact}"
            compared += abs(exact) > negligible
    assert compared > 0.5 * len(points) * len(stored["curves"])

    paths = tab.evaluate(SHOWN, name)["paths"]
    assert len(paths) == len(stored["curves"])
    for i, live in enumerate(paths):
        drawn = re.search(rf'id="{name}-curve-{i}">\s*<path d="([^"]*)"', (SITE / page).read_text("utf-8"))[1]
        (x, y), (known_x, known_y) = heights(live), heights(drawn)
        apart = np.abs(np.interp(known_x, x, y) - known_y)
        assert max(apart) < 0.3 and abs(x[0] - known_x[0]) < 0.02, f"{name}, curve {i}: {max(apart):.3g} pt apart"


def heights(path: str) -> tuple[list[float], list[float]]:
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", path)]
    return numbers[::2], numbers[1::2]


@each_explorable
def test_sliders_move_curves_by_keyboard(
    page: str, number: int, stored: dict, tabs: dict, address: str, troubles: list[str]
) -> None:
    tab = tabs["dark"]
    name = open_explorable(tab, address + page, number)
    figure = tab.locator(f"#{name}-explorable")
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        start = tab.evaluate(SHOWN, name)
        for n, slider in enumerate(stored["sliders"]):
            before = tab.evaluate(SHOWN, name)
            control = figure.get_by_label(slider["label"], exact=True)
            control.focus()
            # Away from the end, where it may stand.
            tab.keyboard.press("ArrowLeft" if control.input_value() == control.get_attribute("max") else "ArrowRight")
            after = tab.evaluate(SHOWN, name)
            assert after["paths"] != before["paths"], f"{slider['label']} moves no curve"
            changed = [a != b for a, b in zip(after["values"], before["values"], strict=True)]
            assert changed == [i == n for i in range(len(changed))], f"{slider['label']} does not show its value"
            assert after["overflow"] <= 0, f"{width} px"
        figure.get_by_role("button", name="Reset").click()
        reset = tab.evaluate(SHOWN, name)
        assert (reset["paths"], reset["values"]) == (start["paths"], start["values"])
    assert not troubles


@each_explorable
def test_without_script_the_picture_stands_there_and_no_slider(
    page: str, number: int, stored: dict, tabs: dict, address: str
) -> None:
    context = tabs["light"].context.browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(address + page)
    figure = tab.locator(".adai-explorable").nth(number)
    assert figure.locator("svg").is_visible() and figure.bounding_box()["height"] > 100
    assert figure.locator("g[id*=-curve-]").count() == len(stored["curves"])
    assert figure.locator("g[id$=-settings]").is_visible(), "the picture says at which values it is drawn"
    assert figure.locator("input, button, label").count() == 0
    context.close()


def test_a_curve_that_is_nowhere_defined_is_not_drawn_and_says_so(tabs: dict, troubles: list[str]) -> None:
    style()
    t, H = sp.symbols("t H", real=True)
    made = curves(
        {"rooted </script>": sp.sqrt(H) * t, "plain": t}, x=(t, 0, 1), y=(0, 1), xlabel="t", ylabel="y",
        sliders={H: Slider("H", -1, 1, start=0.5, step=0.5)},
    )  # fmt: skip
    figure = explorable(inline_svg(made.svg, "figure-1", "Two lines."), "figure-1", made.spec)
    tab = tabs["light"]
    tab.goto("about:blank")
    tab.set_content(figure)
    tab.add_script_tag(path=SITE / "_static/explorable.js")
    tab.get_by_label("H", exact=True).press("Home")
    status = tab.locator("p[role=status]")
    status.filter(has_text="not defined").wait_for()
    assert status.text_content() == "At t = 1: rooted </script>: not defined here; plain: 1"
    assert [bool(path) for path in tab.evaluate(SHOWN, "figure-1")["paths"]] == [False, True]
    key = "document.querySelector('#figure-1-key-{}').style.opacity"
    assert [tab.evaluate(key.format(i)) for i in (0, 1)] == ["0.25", "1"]
    tab.get_by_label("H", exact=True).press("End")
    status.filter(has_text="rooted </script>: 1;").wait_for()
    assert all(tab.evaluate(SHOWN, "figure-1")["paths"])
    assert not troubles


@pytest.mark.parametrize(
    ("query", "name", "place"),
    [
        ("18", "Equation (18)", "book/diffusion/sgd.html#equation-eq-18"),
        ("(18)", "Equation (18)", "book/diffusion/sgd.html#equation-eq-18"),
        ("Eq. 18", "Equation (18)", "book/diffusion/sgd.html#equation-eq-18"),
        ("theorem 3", "Theorem 3", "book/diffusion/kramers.html#thm:3"),
        ("table 1", "Table 1", "book/experiments/cifar.html#tab-1"),
        ("momentum", None, None),
        ("eq 999", None, None),
    ],
)
def test_a_search_for_a_number_finds_the_item(
    query: str, name: str | None, place: str | None, tabs: dict, address: str, troubles: list[str]
) -> None:
    tab = tabs["light"]
    tab.goto(f"{address}search.html?q={quote(query)}")
    found = tab.locator(".adai-found a")
    assert found.count() == (name is not None)
    if name:
        assert found.text_content() == name and found.get_attribute("href") == place
        page, _, anchor = place.partition("#")
        assert anchor in targets(SITE / page)
    assert not troubles


def test_links_show_what_they_lead_to(tabs: dict, address: str, troubles: list[str]) -> None:
    tab = tabs["light"]
    open_page(tab, f"{address}book/diffusion/adam.html", WIDTHS[0])
    link, preview = tab.locator("article a[href='sgd.html#equation-eq-3']").first, tab.locator(".adai-preview")
    link.hover()
    preview.locator("mjx-container").first.wait_for()
    assert "(3)" in preview.inner_text() and link.get_attribute("aria-describedby") == preview.get_attribute("id")
    preview.hover()
    tab.wait_for_timeout(400)
    assert preview.count() == 1
    tab.keyboard.press("Escape")
    assert preview.count() == 0 and link.get_attribute("aria-describedby") is None
    own = tab.locator("article p a.internal[href^='#equation-eq-']:visible").first
    own.focus()
    preview.wait_for()
    assert not preview.locator("[id]").count()
    own.blur()
    assert preview.count() == 0
    assert not troubles
