"""What the experiment on gradient noise finds can be repeated, a changed number is found out, estimates are right."""

import copy
import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from adai import records
from adai.experiments import curvature, images, noise, registry, tails
from adai.experiments.base import Inputs
from tests import committed

NO_FOLDER = Path("nowhere")
"""A network that is trained for its measurement needs no records."""
GRAM = [[5.0 if a == b else 3.0 for b in range(5)] for a in range(5)]


@pytest.fixture(scope="module")
def result():
    """Return the smoke measurement, which is on digits and needs no download."""
    return records.measure(noise.runs("smoke")["noise/seed-0"], partial(noise.measure, folder=NO_FOLDER), threads=1)


def test_a_good_one_can_be_repeated(result):
    assert list(noise.repeat(result, NO_FOLDER)) == []
    assert noise.summary(result).startswith("noise/seed-0  loss 2.")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda found: found["states"][0].update(loss=2.0), "step 0: loss is 2.0"),
        (lambda found: found["states"][1]["traces"].update(fisher=1.0), "step 20: fisher is 1.0"),
        (lambda found: found["states"][0]["hessian"].__setitem__(0, 9.0), "step 0: largest is 9.0"),
        (lambda found: found["data"].update(checksum="0"), "its data are"),
    ],
)
def test_a_changed_number_is_found_out(result, change, fault):
    found = copy.deepcopy(result.found)
    change(found)
    (said,) = noise.repeat(dataclasses.replace(result, found=found), NO_FOLDER)
    assert said.startswith(fault)


def test_diagonals_and_matrices_tell_the_same(result):
    """The eigenvalues kept are nearly all of the Hessian: their squares sum to its squared norm."""
    for state in result.found["states"]:
        assert sum(h * h for h in state["hessian"]) == pytest.approx(
            curvature.product(state, "hessian", "hessian"), 1e-2
        )
        assert sum(state["hessian"]) == pytest.approx(state["traces"]["hessian"], rel=0.05)
        products = np.dot(state["hessian"], state["covariance"])
        assert products == pytest.approx(curvature.product(state, "covariance", "hessian"), rel=0.02)


def test_kurtosis_of_single_draws_is_that_of_the_examples(result):
    found = result.found["states"][0]["tails"]
    assert len(found["single"]["kurtosis"]) == len(found["batches"]["1"]["alpha"]) == 3 * len(tails.RANKS)
    assert found["gaussian"]["norms"] == sorted(found["gaussian"]["norms"])


def test_matrices_are_compared_by_their_products():
    state = {"gram": GRAM}
    assert curvature.cosine(state) == pytest.approx(3 / 5) and curvature.factor(state) == pytest.approx(3 / 5)
    assert curvature.distance(state) == pytest.approx((5 - 6 + 5) ** 0.5 / 5**0.5)
    assert curvature.distance(state, "fisher", "fisher") == 0


def test_the_figure_shows_the_elements_between_its_limits():
    state = {"hessian": [0.9, 0.4, 0.1, 0.001, -0.2], "covariance": [1.0, 0.8, 0.2, 0.002, 0.3]}
    H, C = curvature.shown(state)
    assert H.tolist() == [0.4, 0.1, 0.001] and C.tolist() == [0.8, 0.2, 0.002]
    assert curvature.slope(state) == pytest.approx(1) and curvature.through_origin(state) == pytest.approx(2)
    assert curvature.shown(state, sign=-1)[1].tolist() == [0.3]
    assert curvature.negative_share({"traces": {"absolute": 1.0, "hessian": 0.6}}) == pytest.approx(0.2)


def test_minibatches_of_a_recorded_run_can_be_repeated(tmp_path):
    result = records.measure(noise.runs("smoke")["noise/run-0"], partial(noise.measure, folder=tmp_path), threads=1)
    assert list(noise.repeat(result, tmp_path)) == []
    assert noise.summary(result).startswith("noise/run-0  2 states")
    result.found["states"][1]["norms"]["4"][2] *= 1.01
    (said,) = noise.repeat(result, tmp_path)
    assert said.startswith("last weights, B = 4: the first gradients' norms are")


def test_what_is_measured_is_known_to_the_check_of_records():
    assert all(noise.runs(scale) for scale in ("smoke", "laptop", "paper")) and not noise.runs("colab")
    assert all(
        spec.hash in registry.known_specs("noise")
        for spec in noise.runs("laptop", Inputs(committed.FOLDER, images.JPEG_COPY)).values()
    )
