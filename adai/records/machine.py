"""Where a run happens: the code's commit, the versions, the processor, the memory."""

import functools
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def environment(*, device: str, threads: int) -> dict[str, Any]:
    """Return where a run happens: commit, versions, device and date.

    Returns:
        `commit` is None where the package does not lie in a git checkout; `dirty` tells whether a file of the
        package differs from that commit.
    """
    return {
        **_commit(),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "numpy": metadata.version("numpy"),
        "device": device,
        "threads": threads,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """Return the model name of this machine's processor."""
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory_mib() -> float | None:
    """Return the largest memory of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def commit_exists(commit: str) -> bool:
    """Return whether the checkout has this commit, or cannot know."""
    # A shallow clone (CI, Colab) or no clone at all cannot know older commits: there the losses alone judge.
    if _git("rev-parse", "--is-shallow-repository") != "false":
        return True
    return _git("cat-file", "-e", f"{commit}^{{commit}}") is not None


# A process asks once: what is committed while a long sweep runs is not the code that the sweep runs.
@functools.cache
def _commit() -> dict[str, Any]:
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": commit is None or _git("status", "--porcelain", "--", "adai") != ""}


def _git(*arguments: str) -> str | None:
    # Without this an installed package would report the commit of whatever repository lies around it.
    if not (CHECKOUT / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", CHECKOUT, *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
