"""Checks of algorithms: printed lines take the optimizer's steps, and a mutated line does not."""

import numpy as np
import pytest
import sympy as sp

from adai.book import check
from adai.book.check import CheckFailed

g, m, theta, k, lr, beta = sp.symbols("g m theta t eta beta")
AVERAGED = [(m, beta * m + (1 - beta) * g), (theta, theta - lr * m / (1 - beta**k))]


def _averaged(gradients: list, settings: dict) -> list:
    b, at, average = settings["beta"], np.zeros(len(gradients[0])), np.zeros(len(gradients[0]))
    for n, now in enumerate(np.array(gradients), 1):
        average = b * average + (1 - b) * now
        at = at - settings["eta"] * average / (1 - b**n)
    return list(at)


SETTING = {"start": {m: 0, theta: 0}, "settings": {lr: 0.3, beta: 0.8}, "gradient": g, "result": theta, "step": k}


def test_algorithm_runs_the_printed_lines_against_the_optimizer():
    found = check.algorithm("alg:1", AVERAGED, _averaged, **SETTING)
    assert found.mutants["tried"] == found.mutants["rejected"] + len(found.mutants["equivalent"]) > 15
    wrong = [AVERAGED[0], (theta, theta - lr * m / (1 + beta**k))]
    with pytest.raises(CheckFailed, match="the printed lines end at"):
        check.algorithm("alg:1", wrong, _averaged, **SETTING)


def test_mean_in_an_algorithm_is_over_all_elements():
    lines = [(theta, theta - lr * g / check.mean(g**2))]

    def normalised(gradients: list, settings: dict) -> list:
        return list(-settings["eta"] * sum(np.array(now) / np.mean(np.square(now)) for now in gradients))

    setting = {**SETTING, "start": {theta: 0}, "settings": {lr: 0.3}}
    assert check.algorithm("alg:1", lines, normalised, **setting).mutants["rejected"] > 3


def test_clip_holds_a_value_between_two_others():
    lines = [(theta, theta - lr * check.clip(g, -beta, beta))]

    def clipped(gradients: list, settings: dict) -> list:
        return list(-settings["eta"] * np.clip(gradients, -settings["beta"], settings["beta"]).sum(axis=0))

    setting = {**SETTING, "start": {theta: 0}, "settings": {lr: 0.3, beta: 0.2}}
    assert check.algorithm("alg:1", lines, clipped, **setting).mutants["rejected"] > 3


def test_an_optimizer_that_is_off_in_the_tenth_digit_fails():
    def off(gradients: list, settings: dict) -> list:
        return [value * (1 + 1e-10) for value in _averaged(gradients, settings)]

    with pytest.raises(CheckFailed, match="the printed lines end at"):
        check.algorithm("alg:1", AVERAGED, off, **SETTING)


def test_a_symbol_that_is_too_small_to_matter_makes_a_check_blind():
    eps = sp.Symbol("epsilon")
    lines = [(theta, theta - lr * g / (1 + eps))]

    def descent(gradients: list, settings: dict) -> list:
        return list(-settings["eta"] * np.sum(gradients, axis=0))

    setting = {**SETTING, "start": {theta: 0}, "settings": {lr: 0.3, eps: 1e-20}}
    with pytest.raises(CheckFailed, match=r"cannot fail: it accepts theta = -eta\*g \+ theta, which"):
        check.algorithm("alg:1", lines, descent, **setting)


@pytest.mark.parametrize("value", [0, 1, 0.3])
def test_a_setting_that_hides_a_symbol_is_refused(value):
    """Any power of 1 is 1; 0 hides a factor, and a setting that equals another hides a swap of the two."""
    with pytest.raises(CheckFailed, match=f"= {value} hides what the lines do with it"):
        check.algorithm("alg:1", AVERAGED, _averaged, **{**SETTING, "settings": {lr: 0.3, beta: value}})
