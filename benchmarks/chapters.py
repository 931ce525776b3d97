"""Measure how long the chapters take: execute each in a new kernel, one after the other, and store nothing.

    python -m benchmarks.chapters [--out FILE.json] [CHAPTER.ipynb ...]

Without names: the chapters before the experiments, in `book/start`, `book/diffusion` and `book/inertia`. Wall time is
what a reader waits, including the kernel's start. CPU time is that of kernel and children, and hardly depends
on the machine's other work.
"""

import argparse
import json
import os
import resource
import time
from pathlib import Path

from adai.book import ledger
from adai.records import processor
from publishing import ROOT, notebooks

_PARTS = ("start", "diffusion", "inertia")


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _time_execution(chapter: Path) -> tuple[float, float]:
    """Execute a chapter, and return the wall and CPU seconds that it took."""
    wall, before = time.perf_counter(), _cpu_seconds()
    notebooks.execute(chapter)
    return time.perf_counter() - wall, _cpu_seconds() - before


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    theory = [n for n in ledger.notebooks(ROOT) if n.relative_to(ROOT / "book").parts[0] in _PARTS]
    found = {}
    for chapter in [c.resolve() for c in options.chapters] or theory:
        name = chapter.relative_to(ROOT).as_posix()
        found[name] = dict(zip(("wall", "cpu"), _time_execution(chapter), strict=True))
        print(f"{name:36} {found[name]['wall']:6.1f} s {found[name]['cpu']:6.1f} s of CPU", flush=True)
    total = {clock: sum(times[clock] for times in found.values()) for clock in ("wall", "cpu")}
    print(f"{'total':36} {total['wall']:6.1f} s {total['cpu']:6.1f} s of CPU, on {processor()}")
    if options.out:
        options.out.write_text(json.dumps({"processor": processor(), "seconds": found, "total": total}, indent=1))


if __name__ == "__main__":
    main()
