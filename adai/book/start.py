"""What every chapter's set-up cell calls."""

import os
from pathlib import Path


def set_up() -> None:
    """Takes one thread, enters the book's folder where the set-up has just fetched it, and sets the figures' style."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if Path("adai-book/book").is_dir():
        os.chdir("adai-book/book")
    from adai.book.figures import style

    style()
