"""Times on the environment page come from measurements, each with its label."""

import json

from adai.book import ledger
from publishing import ROOT, times


def test_every_chapter_was_opened_on_colabs_versions_without_a_fault() -> None:
    report = json.loads((ROOT / times.MEASURED).read_text())
    chapters = {path.relative_to(ROOT).as_posix() for path in ledger.notebooks(ROOT)}
    assert report["chapters"].keys() == chapters, "benchmarks/colab.py opens the chapters that are new"
    assert all(found["faults"] == [] and found["setup"] <= 60 for found in report["chapters"].values())


def test_records_are_counted_by_experiment_scale_and_device(tmp_path) -> None:
    def record(name: str, experiment: str, scale: str, seconds: float) -> None:
        path = tmp_path / "book/records" / experiment / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        spec = {"experiment": experiment, "scale": scale}
        path.write_text(json.dumps({"spec": spec, "environment": {"device": "some CPU"}, "seconds": seconds}))

    for name, seconds in (("a", 60.0), ("b", 120.0), ("c", 600.0)):
        record(name, "table1", "laptop", seconds)
    record("d", "table1", "colab", 30.0)
    assert times.runs_table(tmp_path).splitlines()[2:] == [
        "| `table1` | colab | 1 | 0.5 | some CPU |",
        "| `table1` | laptop | 3 | 2.0 | some CPU |",
    ]


def test_a_fault_is_shown(tmp_path) -> None:
    (tmp_path / "benchmarks").mkdir()
    taken = dict.fromkeys(("torch", "numpy", "matplotlib", "sympy", "numba"), "1.0")
    report = {
        "list": "A list.",
        "taken": taken,
        "processor": "some CPU",
        "chapters": {"book/a.ipynb": {"faults": ["x"]}},
    }
    (tmp_path / times.MEASURED).write_text(json.dumps(report))
    assert "| [](/book/a.ipynb) |  |  | 1 |" in times.colab_table(tmp_path)
