"""Stages: what one stage's records choose, the next one runs, in the folder that was given."""

import pytest

from adai import records
from adai.__main__ import main
from adai.experiments import choosing, digits, registry
from adai.experiments.base import Experiment, Inputs
from adai.running import sitting
from adai.running.sweep import stages
from tests import made_up

RATES = (0.01, 0.1)


def choosing_runs(scale: str, given: Inputs) -> dict[str, records.Spec]:
    """Return two runs of seed 9 that choose a rate, and once they have records a run of seed 0 at this rate."""
    first = digits.runs("smoke")["digits/sgd/0"]

    def spec(rate: float, seed: int) -> records.Spec:
        values = {"lr": rate, "momentum": 0.9}
        return records.Spec.from_dict({**vars(first), "experiment": "toy", "seed": seed, "hyperparameters": values})

    found = {r.spec.hyperparameters["lr"]: r.curves["test_error"][-1] for r in given.records("toy", scale)}
    runs = {f"toy/choose/{rate:g}": spec(rate, 9) for rate in RATES}
    if all(rate in found for rate in RATES):
        runs["toy/0"] = spec(choosing.argmin({rate: found[rate] for rate in RATES}), 0)
    return runs


@pytest.fixture
def toy(monkeypatch) -> str:
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", Experiment("toy", choosing_runs, digits.table))
    return "toy"


def test_a_stage_follows_when_the_records_before_it_have_chosen(tmp_path):
    seen = []
    for missing in stages(lambda: choosing_runs("smoke", Inputs(tmp_path)), tmp_path):
        seen.append(list(missing))
        for spec in missing.values():
            error = spec.hyperparameters["lr"]
            made_up.record(spec, train_loss=[1.0] * spec.epochs, test_error=[error] * spec.epochs).save(tmp_path)
    assert seen == [["toy/choose/0.01", "toy/choose/0.1"], ["toy/0"]]
    (result,) = (r for r in records.load("toy", folder=tmp_path) if r.spec.seed == 0)
    assert result.spec.hyperparameters["lr"] == 0.01


def test_a_run_that_left_no_record_is_not_begun_again(tmp_path):
    assert len(list(stages(lambda: choosing_runs("smoke", Inputs(tmp_path)), tmp_path))) == 1


def test_a_sitting_goes_from_choice_to_result_in_a_folder_of_its_own(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ADAI_SCALE", "smoke")
    sitting.sit(toy, tmp_path / "runs")
    assert sorted(r.spec.seed for r in records.load("toy", folder=tmp_path / "runs")) == [0, 9, 9]
    assert "1 runs on" in capsys.readouterr().out


def test_run_finds_what_the_folder_of_out_has_chosen(toy, tmp_path, capsys):
    out = ["--scale", "smoke", "--out", str(tmp_path)]
    assert main(["run", "toy/0", *out]) == 2
    assert "no run at scale smoke is called 'toy/0'" in capsys.readouterr().err
    assert [main(["run", f"toy/choose/{rate:g}", *out]) for rate in RATES] == [0, 0]
    assert main(["run", "toy/0", *out]) == 0


def test_a_sweep_goes_from_choice_to_result_in_the_folder_of_out(toy, folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["sweep", toy, "--scale", "smoke", "--out", str(out), "--jobs", "1"]) == 0
    assert sorted(r.spec.seed for r in records.load(toy, folder=out)) == [0, 9, 9]
    assert not list(folder.iterdir()), "the book's own records, which it did not ask for"
    assert "[1/1] toy/0" in capsys.readouterr().out
