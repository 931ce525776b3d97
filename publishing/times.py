"""Tables of measured times: chapters on Colab's versions, and runs at each scale."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import median

from publishing import ROOT

MEASURED = "benchmarks/colab.json"


def colab_table(root: Path = ROOT) -> str:
    """Return Markdown: for each chapter the seconds of set-up and of the rest, as measured by `benchmarks/colab.py`."""
    report = json.loads((root / MEASURED).read_text())
    lines = ["| chapter | set-up, s | the rest, s | faults |", "| --- | ---: | ---: | ---: |"]
    for notebook, found in sorted(report["chapters"].items()):
        times = [f"{found[part]:.0f}" if part in found else "" for part in ("setup", "rest")]
        lines.append(f"| [](/{notebook}) | {' | '.join(times)} | {len(found['faults']) or 'none'} |")
    taken = report["taken"]
    versions = ", ".join(f"{name} {taken[name]}" for name in ("torch", "numpy", "matplotlib", "sympy", "numba"))
    return "\n".join([*lines, "", f"{report['list']} Here: {versions}; one thread of an {report['processor']}."])


def runs_table(root: Path = ROOT) -> str:
    """Return Markdown: for each experiment and scale the number of records, and the median of their minutes."""
    seconds: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for path in sorted((root / "book/records").glob("*/*.json")):
        record = json.loads(path.read_text())
        spec = record["spec"]
        seconds[spec["experiment"], spec["scale"], record["environment"]["device"]].append(record["seconds"])
    lines = ["| experiment | scale | records | minutes each, median | device |", "| --- | --- | ---: | ---: | --- |"]
    for (experiment, scale, device), each in sorted(seconds.items()):
        lines.append(f"| `{experiment}` | {scale} | {len(each)} | {median(each) / 60:.1f} | {device} |")
    return "\n".join(lines)
