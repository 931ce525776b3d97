"""How long the chapters take: each is executed in a new kernel, one after the other, and nothing is stored.

    python -m benchmarks.chapters [--out FILE.json] [CHAPTER.ipynb ...]

Without names: what comes before the experiments, which is `book/start`, `book/diffusion` and `book/inertia`. Wall time
is what a reader waits, with the start of the kernel in it; CPU time is that of the kernel and all that it started, and
hardly depends on what else the machine does.
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

PARTS = ("start", "diffusion", "inertia")


def cpu() -> float:
    """Seconds that this process and all its children that have ended spent so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def seconds(chapter: Path) -> tuple[float, float]:
    """Wall and CPU time of one execution."""
    wall, before = time.perf_counter(), cpu()
    notebooks.execute(chapter)
    return time.perf_counter() - wall, cpu() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    theory = [n for n in ledger.notebooks(ROOT) if n.relative_to(ROOT / "book").parts[0] in PARTS]
    found = {}
    for chapter in [c.resolve() for c in options.chapters] or theory:
        name = chapter.relative_to(ROOT).as_posix()
        found[name] = dict(zip(("wall", "cpu"), seconds(chapter), strict=True))
        print(f"{name:36} {found[name]['wall']:6.1f} s {found[name]['cpu']:6.1f} s of CPU", flush=True)
    total = {clock: sum(times[clock] for times in found.values()) for clock in ("wall", "cpu")}
    print(f"{'total':36} {total['wall']:6.1f} s {total['cpu']:6.1f} s of CPU, on {processor()}")
    if options.out:
        options.out.write_text(json.dumps({"processor": processor(), "seconds": found, "total": total}, indent=1))


if __name__ == "__main__":
    main()
