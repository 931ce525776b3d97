"""Commands of the Makefile that make itself cannot do: lock, report how far pip is, serve pages while they change.

python publishing/make.py alone COMMAND …        runs COMMAND once no other one runs in this folder
python publishing/make.py install ARGUMENT …     runs `pip install ARGUMENT …`, and says how far it is
python publishing/make.py serve PORT COMMAND …   serves the site, and runs COMMAND whenever a file of the book is saved

It runs before there is an environment, on Pythons too old for the book, so it imports the standard library only.
"""

import contextlib
import os
import re
import subprocess
import sys
import sysconfig
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def alone(*command: str) -> None:
    """Wait until no other such command runs here, then become a command that writes `.venv` or `_build`.

    The command inherits the lock, and the system releases it with the command's last process, killed or not.
    """
    import fcntl

    lock = os.open("Makefile", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another make installs or builds here; waiting until it is done …", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    os.execvp(command[0], command)


def install(*arguments: str) -> int:
    """Run pip, print every ten seconds how far it is, and return its exit status; its errors pass through."""
    log, start = Path(".venv/pip.log"), time.time()
    with log.open("w") as output:
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off", *arguments]
        running = subprocess.Popen(pip, stdout=output)
    while True:
        try:
            return running.wait(10)
        except subprocess.TimeoutExpired:
            packages = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
            installed = sum(package.stat().st_mtime > start for package in packages)
            print(progress(log.read_text(), installed), flush=True)


def progress(output: str, installed: int) -> str:
    """Return a line that says how far pip is, from its output so far and the number of installed packages."""
    planned = re.search(r"^Installing collected packages: (.+)$", output, re.M)
    if planned:
        return f"  packages installed: {installed} of {planned[1].count(',') + 1}"
    collected = re.findall(r"^Collecting (\S+)(?:.*\n  .*\.whl.*(\(.*\)))?", output, re.M)
    return f"  packages found: {len(collected)}, now {' '.join(collected[-1]).strip()}" if collected else "  …"


def serve(port: str, *command: str) -> None:
    """Serve the site to this machine only, and rebuild it when a file is saved, until Ctrl-C.

    A rebuild that fails prints why, and the next save tries again.
    """
    from watchfiles import watch

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), partial(Quiet, directory="_build/html"))
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"Port {port} cannot be had ({error}): choose another by make serve PORT=…")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(command)
        print(f"Serving http://127.0.0.1:{port}; saving a file rebuilds (Ctrl-C stops)", flush=True)
        for _ in watch("adai", "book", "publishing", "_config.yml", "_toc.yml"):
            subprocess.run(command)


if __name__ == "__main__":
    try:
        sys.exit({"alone": alone, "install": install, "serve": serve}[sys.argv[1]](*sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
