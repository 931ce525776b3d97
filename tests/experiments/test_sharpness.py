"""Sharpness from kept weights: the path works, a false number is found out, and comparisons are by seed."""

import dataclasses
import json
import math
import os
from functools import partial

import pytest

from adai import records
from adai.experiments import images, sharpness
from adai.experiments.base import Inputs
from tests.committed import FOLDER

SMOKE = sharpness.runs("smoke")
OURS = Inputs(FOLDER, images.JPEG_COPY)


@pytest.fixture(scope="module")
def results() -> list[records.Result]:
    return [records.measure(spec, partial(sharpness.measure, folder=FOLDER), threads=1) for spec in SMOKE.values()]


def test_three_optimizers_are_measured_and_the_table_and_figure_drawn(results):
    import matplotlib.pyplot as plt

    rows = sharpness.table(results).cells()
    assert rows[0] == ["measure", "Adai", "SGD M", "Adam"] and all(all(row) for row in rows)
    _, axes = plt.subplots(1, 4)
    sharpness.figure(results, axes)
    assert [len(axis.lines) for axis in axes] == [3, 3, 3, 3]
    assert all(row[1:] == ["", "", ""] for row in sharpness.table([]).cells()[1:])


@pytest.mark.parametrize("place", [("loss",), ("rises", "filter", -1, 0), ("rises", "refitted", -1, 0)])
def test_a_repeat_finds_one_changed_number(results, place):
    found = json.loads(json.dumps(results[0].found))
    assert list(sharpness.repeat(results[0], FOLDER)) == []
    *path, last = place
    entry = found
    for key in path:
        entry = entry[key]
    entry[last] *= 1.01
    (fault,) = sharpness.repeat(dataclasses.replace(results[0], found=found), FOLDER)
    assert "measured again" in fault


def test_optimizers_are_compared_at_the_same_seed():
    def result(optimizer: str, seed: int, eigenvalue: float) -> records.Result:
        run = SMOKE["sharpness/adai/0"].settings["run"] | {"optimizer": optimizer, "seed": seed}
        spec = dataclasses.replace(
            SMOKE["sharpness/adai/0"], settings=SMOKE["sharpness/adai/0"].settings | {"run": run}
        )
        return records.Result(spec, {}, {"eigenvalues": {"plain": eigenvalue}}, 1.0)

    some = [result("adai", 0, 2.0), result("adam", 0, 8.0), result("adai", 1, 5.0), result("adam", 2, 1.0)]
    assert sharpness.log_ratio(some, "eigenvalue", "adai", "adam").values == pytest.approx([math.log(1 / 4)])
    assert sharpness.log_ratio(some, "eigenvalue", "sgd", "adam") is None


def test_every_run_of_table_1_that_kept_its_weights_is_to_be_measured():
    kept = {path.stem for path in (FOLDER / "table1").glob("*.safetensors")}
    assert len(sharpness.runs("laptop", OURS)) == len(kept) > 0


@pytest.mark.skipif(not os.environ.get("ADAI_DATA"), reason="needs ADAI_DATA")
def test_kept_weights_have_the_test_error_of_their_record():
    settings = sharpness.runs("laptop", OURS)["sharpness/adam/0"].settings
    record = records.read(FOLDER / "table1" / f"{settings['run']['hash']}.json")
    _, error = sharpness._landscape(settings | {"images": 10}, FOLDER)
    assert error == pytest.approx(record.curves["test_error"][-1], abs=0.1)  # fp16 moves a few images
