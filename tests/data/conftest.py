"""Small CIFAR sets in the published layout, and a server that hangs up, for every test of the data."""

import pickle
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from adai.data import cifar

PER_FILE = 20


@pytest.fixture
def write_sets():
    """Writes both sets into a folder, with pictures that follow from the seed."""

    def write(folder: Path, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        for layout in cifar.LAYOUTS.values():
            (folder / layout.directory).mkdir(parents=True, exist_ok=True)
            for file in (*layout.train, layout.test):
                images = rng.integers(0, 256, (PER_FILE, 3072), dtype=np.uint8)
                labels = rng.integers(0, layout.classes, PER_FILE).tolist()
                content = pickle.dumps({b"data": images, layout.targets: labels}, protocol=2)
                (folder / layout.directory / file).write_bytes(content)
        return folder

    return write


class Server(BaseHTTPRequestHandler):
    """Serves one file; `breaks_after` bytes it hangs up, once."""

    content = bytes(range(256)) * 2000
    ranges = True
    breaks_after: int | None = None
    asked: list[str | None]

    def do_GET(self):
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.ranges else 0
        if start >= len(self.content):
            self.send_error(416)
            return
        body = self.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if (stop := type(self).breaks_after) is not None:
            type(self).breaks_after = None
            body = body[:stop]
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"asked": []})
    served = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    handler.url = f"http://127.0.0.1:{served.server_port}/file.bin"
    yield handler
    served.shutdown()
    served.server_close()
