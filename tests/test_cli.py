"""The command line, as a reader uses it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from adai import records
from adai.__main__ import CLEAR, main
from adai.experiments import registry
from adai.records import Record
from adai.running import sweep
from adai.training import train
from tests import forks


@pytest.fixture
def book(folder, known_commits) -> Path:
    """Return the empty records folder of a checkout in which every commit is known."""
    return folder


@pytest.fixture
def good_record(monkeypatch) -> Record:
    """Return a true record of a small run, which the experiment is made to know."""
    spec = dataclasses.replace(registry.specs("digits", "smoke")["digits/adai/0"], scale="laptop")
    monkeypatch.setattr(registry, "known_specs", lambda name, given: {spec.hash: spec})
    record = train(spec)
    return dataclasses.replace(record, environment=record.environment | {"commit": "a" * 40, "dirty": False})


def test_sweep_and_run_from_a_shell(tmp_path):
    """End to end in processes of their own: train, file, skip, show the table, fail with one line."""
    command = [sys.executable, "-m", "adai", "run", "digits/adam/1", "--scale", "smoke", "--out", "runs"]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "Traceback" not in first.stderr and "test error" in first.stdout

    def adai(*arguments: str) -> tuple[int, str]:
        process = forks.start(forks.ADAI, *arguments, printed=tmp_path / "printed", folder=tmp_path)
        process.join()
        return process.exitcode, (tmp_path / "printed").read_text()

    code, swept = adai("sweep", "digits", "--scale", "smoke", "--out", "runs", "--jobs", "2")
    assert code == 0, swept
    assert "1 of 6 runs have a record" in swept and "[5/5]" in swept
    assert "digits (scikit-learn), scale smoke" in swept
    assert len(list((tmp_path / "runs" / "digits").glob("*.json"))) == 6
    code, wrong = adai("run", "digits/adai/99")
    assert (code, len(wrong.splitlines())) == (2, 1)
    assert "no run at scale laptop is called 'digits/adai/99'" in wrong


def test_sweep_reports_a_failed_run_and_keeps_the_others(tmp_path, monkeypatch, capsys):
    table = registry.specs("digits", "smoke")
    bad = dataclasses.replace(table["digits/sgd/0"], hyperparameters={"lr": 0.1, "momentum": -1})
    specs = {"digits/sgd/0": bad, "digits/adam/0": table["digits/adam/0"]}
    monkeypatch.setattr(registry, "specs", lambda name, scale, given: specs)
    assert main(["sweep", "digits", "--scale", "smoke", "--out", str(tmp_path), "--jobs", "1"]) == 1
    output = capsys.readouterr()
    assert "digits/sgd/0  failed: ValueError: Invalid momentum" in output.out
    assert "1 of 2 runs failed: digits/sgd/0" in output.err
    assert [record.spec.optimizer for record in records.load("digits", folder=tmp_path)] == ["adam"]


def test_a_terminal_shows_the_table_after_each_run(tmp_path, monkeypatch, capsys):
    table = registry.specs("digits", "smoke")
    specs = {name: table[name] for name in ("digits/sgd/0", "digits/adam/0")}
    monkeypatch.setattr(registry, "specs", lambda name, scale, given: specs)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["sweep", "digits", "--scale", "smoke", "--out", str(tmp_path), "--jobs", "1"]) == 0
    first, second = capsys.readouterr().out.split(CLEAR)[1:]
    # One row of the first table has a run, two of the second.
    runs = [[line.split()[2] for line in shown.splitlines() if line.startswith("SGD M")] for shown in (first, second)]
    assert runs == [["1"], ["1"]] and "Adam       1" not in first and "[2/2]" in second


@pytest.mark.parametrize("tell", [os.kill, os.killpg], ids=["itself", "all its processes"])
def test_a_sweep_that_is_told_to_stop_saves_its_runs_and_leaves_nothing_behind(tmp_path, tell):
    command = [sys.executable, "-m", "adai", "sweep", "digits", "--out", str(tmp_path), "--jobs", "2"]
    sweep = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("digits/.*.checkpoint"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    tell(sweep.pid, signal.SIGTERM)
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 2 and "the same command goes on" in errors
    assert len(list(tmp_path.glob("digits/.*.checkpoint"))) == 2
    deadline = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):  # in the end nobody is left of its session
        while time.monotonic() < deadline:
            os.killpg(sweep.pid, 0)
            time.sleep(0.1)


def test_run_that_has_a_record_is_skipped(tmp_path, capsys):
    command = ["run", "digits/sgd/0", "--scale", "smoke", "--out", str(tmp_path)]
    assert main(command) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert main(command) == 0
    assert "has a record" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


def test_smoke_run_is_not_filed_in_the_book(book, capsys):
    assert main(["run", "digits/sgd/0", "--scale", "smoke"]) == 0
    assert "is not recorded" in capsys.readouterr().out and not list(book.rglob("*"))


def test_check_passes_a_true_record_and_finds_out_a_typed_one(book, good_record, capsys):
    path = good_record.save(book)
    assert main(["records", "check"]) == 0
    assert "1 records checked, 0 bad" in capsys.readouterr().out
    values = json.loads(path.read_text())
    values["first_losses"] = [round(loss, 2) for loss in values["first_losses"]]
    path.write_text(json.dumps(values))
    assert main(["records", "check", "digits"]) == 1
    assert f"digits/{path.name}: its loss at step 1 is" in capsys.readouterr().out


def test_check_goes_on_after_a_broken_file(book, good_record, capsys):
    good_record.save(book)
    (book / "digits" / "broken.json").write_text("{")
    (book / "foreign").mkdir()
    dataclasses.replace(good_record, spec=dataclasses.replace(good_record.spec, seed=5)).save(book)
    assert main(["records", "check"]) == 1
    output = capsys.readouterr().out
    assert "broken.json" in output and "unknown spec" in output and "3 records checked, 2 bad" in output


def test_add_files_a_true_record_once(book, good_record, tmp_path, capsys):
    file = good_record.save(tmp_path / "download").rename(tmp_path / "mine (1).json")
    file.write_text(file.read_text().replace("examples_per_second", "images_per_second"))  # as an older code wrote it
    assert main(["records", "add", str(file)]) == 0
    assert records.load("digits", folder=book) == [good_record]
    assert records.path_of(good_record.spec, book).read_bytes() == file.read_bytes()
    assert main(["records", "add", str(file)]) == 2
    assert "has a record already" in capsys.readouterr().err


def test_add_refuses_a_dirty_record(book, good_record, tmp_path, capsys):
    dirty = dataclasses.replace(good_record, environment=good_record.environment | {"dirty": True})
    assert main(["records", "add", str(dirty.save(tmp_path / "download"))]) == 1
    assert "uncommitted changes" in capsys.readouterr().out and not list(book.rglob("*.json"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("records add missing.json", "missing.json cannot be read as a record"),
        ("sweep digits --scale paper", "digits has no runs at scale paper; it has smoke, laptop"),
        ("run nix/adai/0", "no experiment is called 'nix'"),
        ("sweep nix", "no experiment is called 'nix'; there are digits, table1"),
        ("sweep noise", "noise trains nothing: `adai run noise` measures it"),
        ("records check nix", "no experiment is called 'nix'"),
    ],
)
def test_mistake_is_answered_in_one_line(book, capsys, command, message):
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("tqdm", "tqdm is not installed; this package's extra 'experiments' brings it"),
        ("scipy.stats", "scipy is not installed; this package's extra 'theory' brings it"),
        ("matplotlib.pyplot", "matplotlib is not installed; this package's extra 'book' brings it"),
        ("antigravity", "antigravity is not installed"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, capsys, module, message):
    def find(name: str) -> None:
        raise ModuleNotFoundError(name=module)

    monkeypatch.setattr(registry, "find_trained", find)
    assert main(["sweep", "digits"]) == 2
    assert capsys.readouterr().err == f"adai: error: {message}\n"


@pytest.mark.parametrize("command", ["sweep digits --jobs 0", "run digits/adai/0 --scale huge", ""])
def test_wrong_usage_is_refused(command, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(command.split())
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "gpus", "expected"),
    [
        ("sweep digits --jobs 3", 2, ["cpu"] * 3),
        ("sweep digits --jobs 3 --device cuda", 2, ["cuda:0", "cuda:1", "cuda:0"]),
        ("sweep table1 --scale colab", 2, ["cuda:0", "cuda:1"]),
        ("sweep table1 --scale paper --jobs 1", 2, ["cuda:0"]),
        ("sweep table1 --scale paper --jobs 2", 0, ["cpu"] * 2),
        ("sweep table1 --scale paper --jobs 2 --device cpu", 2, ["cpu"] * 2),
    ],
)
def test_runs_of_a_sweep_are_spread_over_the_devices(book, monkeypatch, command, gpus, expected):
    """Small runs stay on the processor where a GPU is there, too."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    given = []
    monkeypatch.setattr(sweep, "sweep", lambda missing, folder, devices: given.append(devices) or [])
    assert main(command.split()) == 0
    assert given[0] == expected


def test_a_gpu_that_is_not_there_is_refused(book, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["sweep", "digits", "--device", "cuda"]) == 2
    assert "--device cuda, but PyTorch sees no GPU here" in capsys.readouterr().err


def test_records_are_read_without_torch():
    """Chapters read records and draw tables in a kernel that starts fast."""
    code = "import sys, adai.records, adai.experiments.digits; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
