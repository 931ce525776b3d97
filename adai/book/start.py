"""The function that every chapter's set-up cell calls."""

import os
from pathlib import Path


def set_up() -> None:
    """Take one thread, enter the book's folder if the set-up has just fetched it, and set the figures' style."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if Path("adai-book/book").is_dir():
        os.chdir("adai-book/book")
    from adai.book.figures import style

    style()
