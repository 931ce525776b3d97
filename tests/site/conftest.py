"""The built site, served to tabs of headless Chromium."""

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.site.browser import PAGES, SCHEMES, SITE

_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the built site, and yield its address."""
    assert PAGES, f"{SITE} holds no page: run `make book` first"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def tabs(address: str) -> Iterator[dict]:
    """Yield a tab of headless Chromium for each colour scheme; skip where there is no browser, but fail in CI."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", _MAC))), None)
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
    """Yield a list of what goes wrong in the tabs during one test: errors, failed requests, requests to other hosts."""
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
