"""Cells that run in the reader's browser, where the site was built with them (`make live`)."""

import os
import re

import pytest

from publishing.live import CHAPTERS
from tests.site.browser import SITE, accessibility_faults, load_axe, open_page

LIVE = SITE / "_static/live"
PAGE = "book/inertia/adai.html"
OUTPUTS = """() => [...document.querySelectorAll('.cell_output :is(pre, strong)')].map(e =>
  (e.matches('pre') ? e : e.parentElement).textContent.replace(/\\s+/g, ' ').trim())"""
READY = re.compile("Python is ready")


@pytest.fixture(autouse=True)
def built() -> None:
    if not LIVE.is_dir():
        missing = "this site has no live cells: `make live` fetches what they need"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


def status(tab: object, text: str | re.Pattern, seconds: float = 300) -> str:
    """Wait until the panel says something, and return all that it says then."""
    said = tab.locator(".adai-live [role=status]")
    said.filter(has_text=text).wait_for(timeout=1000 * seconds)
    return said.text_content()


def test_chapters_offer_it_and_no_other_page_does() -> None:
    pages = {p.relative_to(SITE).with_suffix("").as_posix() for p in SITE.glob("book/**/*.html")}
    assert {page for page in pages if "live/live.js" in (SITE / f"{page}.html").read_text("utf-8")} == set(CHAPTERS)


def test_what_is_loaded_when_asked_for_is_within_its_budget() -> None:
    assert not list(LIVE.glob("*.map"))
    assert sum(file.stat().st_size for file in LIVE.iterdir()) < 20e6
    assert (LIVE / "live.js").stat().st_size < 10e3, "this much each live chapter loads unasked"


def test_cells_earn_in_the_browser_what_is_stored(tabs: dict, address: str, troubles: list[str]) -> None:
    tab, asked = tabs["light"], []
    tab.on("request", lambda request: asked.append(request.url.removeprefix(address)))
    open_page(tab, address + PAGE)
    stored = tab.evaluate(OUTPUTS)
    assert len(stored) > 10
    live = {url.split("?")[0] for url in asked if "live/" in url}
    assert live == {"_static/live/live.js"}, "the page itself loads no more than the script that offers it"

    tab.get_by_role("button", name="Run this page here").press("Enter")
    status(tab, READY)
    tab.keyboard.press("Enter")  # the focus stayed on the button, which now runs all
    count = re.fullmatch(
        r"(\d+) of (\d+) ran; (\d+) need what is not here, and stay as they are\.", status(tab, re.compile(r"\d ran"))
    )
    ran, total, left = map(int, count.groups())
    assert ran + left == total == tab.locator(".cell").filter(has=tab.locator(".cell_input")).count()
    assert tab.locator(".adai-live-note").filter(has_text=re.compile("Needs (NumPy|PyTorch)")).count() > 5
    tab.evaluate("() => MathJax.startup.promise")
    # What stays as the page was written has typographic apostrophes.
    then, now = ([output.replace("’", "'") for output in outputs] for outputs in (stored, tab.evaluate(OUTPUTS)))
    assert now == then
    assert tab.locator(".adai-live-text strong").count() > 10, "these are new"
    assert tab.locator(".adai-live-text mjx-merror, .adai-live-text:has-text('$')").count() == 0

    cell = tab.get_by_role("textbox", name="Cell 2", exact=True)
    cell.press("Control+End")
    tab.keyboard.type("\n1 / 0")
    cell.press("Shift+Enter")
    status(tab, "Cell 2 raises an error")
    assert "ZeroDivisionError" in tab.locator(".adai-live-error").text_content()
    cell.fill("while True: pass")
    cell.press("Control+Enter")
    tab.get_by_role("button", name="Stop").press("Enter")
    status(tab, "Stopped.")
    assert tab.get_by_role("button", name="Run this page here").evaluate("e => e === document.activeElement")
    assert cell.inner_text() == "while True: pass"
    assert not troubles
    load_axe(tab)
    assert accessibility_faults(tab) == []


def test_what_goes_wrong_is_said(tabs: dict, address: str) -> None:
    tab = tabs["dark"]
    tab.route("**/sympy.zip", lambda route: route.fulfill(status=503))
    open_page(tab, address + PAGE, 390)
    tab.get_by_role("button", name="Run this page here").click()
    said = status(tab, "Python did not start")
    tab.unroute("**/sympy.zip")
    assert "503" in said and "Try again" in said
    assert tab.get_by_role("button", name="Run this page here").is_enabled()
    assert tab.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_page_opened_from_a_file_says_that_it_needs_a_server(tabs: dict) -> None:
    tab = tabs["dark"]
    tab.goto((SITE / PAGE).as_uri())
    assert "Not from a file" in status(tab, "server")
    assert tab.get_by_role("button", name="Run this page here").is_disabled()
