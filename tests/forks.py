"""Python processes that have torch when they start, as a sweep's have; importing it takes seconds."""

import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from adai.running.sweep import with_torch

ADAI = "import sys; from adai.__main__ import main; sys.exit(main())"
"""The command line."""


def start(code: str, *arguments: str, printed: Path, folder: Path | None = None) -> BaseProcess:
    """Start a process like `python -c code arguments` in a folder; what it prints goes to a file."""
    work = (code, arguments, printed, folder or Path.cwd(), dict(os.environ))
    process = with_torch().Process(target=_run, args=work)
    process.start()
    return process


def _run(code: str, arguments: tuple[str, ...], printed: Path, folder: Path, environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["-c", *arguments]
    with printed.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        exec(code, {"__name__": "__main__"})
        sys.stdout.flush()
