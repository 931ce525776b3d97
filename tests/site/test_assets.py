"""What a page loads in a browser: the icons and colours it shows, and no more bytes than it may."""

import gzip
from urllib.parse import unquote, urlsplit

from fontTools.ttLib import TTFont

from adai.book import figures
from tests.site.browser import PAGES, SCHEMES, SITE, open_page, turn


def test_every_icon_has_its_glyph(tabs: dict, address: str) -> None:
    """The site's icon fonts are thinned to what it shows."""
    fonts = (SITE / "_static/vendor/fontawesome/webfonts").glob("*.woff2")
    glyphs = set().union(*(TTFont(font).getBestCmap() for font in fonts))
    asked = """() => [...document.querySelectorAll('*')].flatMap(e => ['::before', '::after'].map(part => {
      const style = getComputedStyle(e, part);
      return style.fontFamily.includes('Awesome') && style.content.length === 3 ? style.content.codePointAt(1) : 0;
    })).filter(code => code > 0xe000)"""
    for page in ("book/diffusion/sgd.html", "book/reference/errata.html"):
        open_page(tabs["light"], address + page)
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
        open_page(tab, address + page)
        tab.wait_for_load_state("networkidle")
        visit.close()
        heaviest = sorted(sent.items(), key=lambda item: -item[1])[:5]
        assert sum(sent.values()) <= 1_000_000, f"{page}: {sum(sent.values())} bytes, of them {heaviest}"


def rgb(colour: str) -> str:
    """Return a colour such as #1f2933 as browsers write it."""
    return f"rgb{tuple(bytes.fromhex(colour[1:]))}"


def test_figures_are_drawn_in_the_colours_of_their_scheme(tabs: dict, address: str) -> None:
    page, tab = next(p for p in PAGES if "var(--adai-ink)" in (SITE / p).read_text("utf-8")), tabs["light"]
    open_page(tab, address + page)
    drawn = """() => [['fill', 'ink'], ['stroke', 'grid']].map(([what, name]) =>
      getComputedStyle(document.querySelector(`.adai-figure [style*="${what}: var(--adai-${name})"]`))[what])"""
    colours = {"light": (figures.INK, figures.GRID), "dark": (figures.DARK_INK, figures.DARK_GRID)}
    for scheme in reversed(SCHEMES):
        turn(tab, scheme)
        assert tab.evaluate(drawn) == [rgb(colour) for colour in colours[scheme]], f"{page}, {scheme}"
