"""Install the book's package where a chapter is opened on its own (Colab), and keep the versions that are there.

Run as a script by the chapters' set-up cell, from a fresh clone: it may import the standard library only. The
package stays in the clone, so that a record made there knows its commit.
"""

import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_KEPT = ("torch", "numpy", "matplotlib")


def main() -> int:
    """Install the package, and return pip's exit status; say so if the versions that are there do not fit the book."""
    present = []
    for name in _KEPT:
        try:
            present.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(present))
        constraints.flush()
        root = Path(__file__).parents[1]
        command = [sys.executable, "-m", "pip", "install", "-q", "-c", constraints.name, "-e", f"{root}[book]"]
        status = subprocess.run(command).returncode
    if status:
        print(
            f"The book does not fit the versions that are installed here ({', '.join(present)}); pip says why above.",
            file=sys.stderr,
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
