"""The benchmark that the chapter *Building the optimizer* reads: it covers all of ours, and counts as recorded."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from adai import Adai
from adai.optim.catalogue import OURS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORDED = json.loads((BENCHMARKS / "optimizers.json").read_text(encoding="utf-8"))["results"]
SPEC = importlib.util.spec_from_file_location("optimizers", BENCHMARKS / "optimizers.py")
benchmark = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(benchmark)
NAME = "600 of 1,000"
GRADS = [torch.randn(shape, generator=torch.Generator().manual_seed(0)) for shape in benchmark.LISTS[NAME]()]


def test_the_benchmark_measures_every_optimizer_of_ours():
    assert set(OURS) <= set(benchmark.OPTIMIZERS)


def test_every_list_is_recorded_with_the_same_optimizers():
    assert list(RECORDED) == list(benchmark.LISTS)
    (recorded,) = {tuple(facts) for facts in RECORDED.values()}
    assert set(recorded) <= set(benchmark.OPTIMIZERS)


@pytest.mark.parametrize("name", [name for name in RECORDED[NAME] if "fused" not in name])
def test_recorded_counts_are_those_of_this_code(name):
    counted = benchmark.operations(name, benchmark.start(name, GRADS, "cpu"))
    fact = RECORDED[NAME][name]
    assert counted.count == fact["operations"]
    assert counted.words / sum(grad.numel() for grad in GRADS) == pytest.approx(fact["words_per_parameter"])


def test_the_algorithm_as_printed_takes_the_packages_steps():
    shapes = [(3, 4), (5,), ()]
    params = [[torch.nn.Parameter(torch.ones(shape, dtype=torch.float64)) for shape in shapes] for _ in range(2)]
    optimizers = [benchmark.Plain(params[0], {}), Adai(params[1])]
    for step in range(20):
        generator = torch.Generator().manual_seed(step)
        for one, other in zip(*params, strict=True):
            one.grad = other.grad = torch.randn(one.shape, dtype=torch.float64, generator=generator)
        for optimizer in optimizers:
            optimizer.step()
    for one, other in zip(*params, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
