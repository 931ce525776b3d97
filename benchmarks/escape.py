"""Particle-steps per second of the escape simulator, beside vectorised NumPy and torch on the CPU.

    NUMBA_NUM_THREADS=1 python -m benchmarks.escape [--rounds N] [--steps N]

The work is Figure 5's: 100 particles in ten dimensions, minibatches of 10 out of 50,000 samples. One round times each
engine on the same number of steps, at the sharpness where nobody leaves so soon, so that whatever else the machine does
meets all alike; ratios are taken within a round. Then the whole of Figure 5 is run once. Compiling is timed apart.
"""

import argparse
import statistics
import time

import numba
import numpy as np
import torch

from adai.experiments import escape
from adai.records import processor
from adai.theory.escape import Rule, StyblinskiTang, escape_steps

PARTICLES, BATCH = 100, 10


def with_numpy(loss: StyblinskiTang, rule: Rule, steps: int) -> None:
    """Simulate the same as one would write it in NumPy, all particles at once."""
    rng, n, root = np.random.default_rng(0), loss.data.shape[1], loss.k**0.5
    u = np.full((PARTICLES, n), loss.BOTTOM)
    m, v, fresh, power1, power2 = np.zeros_like(u), np.zeros_like(u), np.ones_like(u), 1.0, 1.0
    for _ in range(steps):
        x = u[:, None] - loss.data[rng.integers(len(loss.data), size=(PARTICLES, BATCH))]
        g = root * (((2 * x * x - 16) * x).mean(axis=1) + 2.5)
        power1, power2 = power1 * rule.beta1, power2 * rule.beta2
        if rule.form == "momentum":
            m = rule.beta1 * m + rule.weight * g
            move = m
        elif rule.form == "adam":
            m, v = rule.beta1 * m + (1 - rule.beta1) * g, rule.beta2 * v + (1 - rule.beta2) * g * g
            move = m / (1 - power1) / (np.sqrt(v / (1 - power2)) + rule.eps)
        else:
            v = rule.beta2 * v + (1 - rule.beta2) * g * g
            grain = np.clip(rule.beta1 * v / v.mean(axis=1, keepdims=True), rule.eps, 1.0)
            m, fresh = (1 - grain) * m + grain * g, fresh * (1 - grain)
            move = m / (1 - fresh)
        u = u - root * rule.lr * move
        if (u > loss.TOP).any(axis=1).all():
            break


def seconds(work, *arguments) -> float:
    """Return how many seconds a call takes."""
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=4000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    loss = StyblinskiTang(escape.training_data(), k=0.5)
    rules = {name: Rule(**values) for name, values in escape.FIGURE5.items()}

    def ours(rule: Rule, engine: str, steps: int = arguments.steps) -> None:
        escape_steps(loss, rule, PARTICLES, seed=0, max_steps=steps, engine=engine)

    print(f"{processor()}, {numba.get_num_threads()} thread(s) for numba, one for the others")
    print(f"to compile, or to load what was compiled before: {seconds(ours, rules['adai'], 'numba', 1):.1f} s")
    print(f"{'optimizer':10} {'numba':>12} {'NumPy':>12} {'torch':>12}  particle-steps/s; numba / NumPy (quartiles)")
    for name, rule in rules.items():
        rounds = [
            [
                seconds(ours, rule, "numba"),
                seconds(with_numpy, loss, rule, arguments.steps),
                seconds(ours, rule, "torch"),
            ]
            for _ in range(arguments.rounds)
        ]
        speeds = [PARTICLES * arguments.steps / statistics.median(times) for times in zip(*rounds, strict=True)]
        low, middle, high = statistics.quantiles([numpy / fast for fast, numpy, _ in rounds], n=4)
        print(f"{name:10}" + "".join(f" {s:12,.0f}" for s in speeds) + f"  {middle:.1f} ({low:.1f} to {high:.1f})")
    spec = escape.runs("paper")["escape/figure5"]
    begin = time.perf_counter()
    total = sum(sum(steps) for steps in escape.measure(spec))
    print(f"Figure 5, whole: {time.perf_counter() - begin:.1f} s, {total:,} particle-steps")


if __name__ == "__main__":
    main()
