"""How long a step of each optimizer takes, and what it takes: beside its peers, interleaved in one run.

    python -m benchmarks.optimizers [--out FILE.json] [--device cpu|cuda] [--rounds N]

Every optimizer steps on the same gradients, in turn with its peer, so that whatever else the machine does meets both
alike. Ratios are taken within a round. The table gives, for each list of tensors, the median time, the ratio
to the peer with its quartiles, the bytes of state for each parameter, the aten operations dispatched in a step, and the
words that these read and write for each parameter; the file also has the floor of words moved, what must be read or
written if nothing is touched twice.
"""

import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_optimizer
import torch

from adai import Adai, AdaiV2
from adai.book.operations import Operations
from adai.models import MODELS
from adai.optim.batches import spent_correction, sums_of_squares
from adai.optim.catalogue import OURS
from adai.records import processor


class Plain(torch.optim.Optimizer):
    """Algorithm 2 as it is printed, one tensor and one line after the other."""

    @torch.no_grad()
    def step(self) -> None:
        params = self.param_groups[0]["params"]
        for p in params:
            state = self.state[p]
            if not state:
                state.update(t=0, v=torch.zeros_like(p), m=torch.zeros_like(p), product=torch.ones_like(p))
            state["t"] += 1
            state["v"] = 0.99 * state["v"] + 0.01 * p.grad**2
        v_hats = [self.state[p]["v"] / (1 - 0.99 ** self.state[p]["t"]) for p in params]
        v_bar = torch.cat([v_hat.flatten() for v_hat in v_hats]).mean()
        for p, v_hat in zip(params, v_hats, strict=True):
            state = self.state[p]
            beta1 = (1 - 0.1 / v_bar * v_hat).clamp(0, 1 - 1e-3)
            state["product"] = beta1 * state["product"]
            state["m"] = beta1 * state["m"] + (1 - beta1) * p.grad
            p -= 1.0 * state["m"] / (1 - state["product"])


class Reduction(torch.optim.Optimizer):
    """The first half of Adai's step and nothing else: the sum of squares of each gradient."""

    @torch.no_grad()
    def step(self) -> None:
        sums_of_squares([p.grad for p in self.param_groups[0]["params"]])


LISTS: dict[str, Callable[[], list[tuple[int, ...]]]] = {
    "ResNet-18": lambda: [tuple(param.shape) for param in MODELS["resnet18"]().parameters()],
    "600 of 1,000": lambda: [(1000,)] * 600,
    "one of 50 M": lambda: [(50_000_000,)],
}
ADAM, THEIRS = "Adam foreach", "pytorch_optimizer Adai for-loop"
OPTIMIZERS: dict[str, tuple[Callable[..., torch.optim.Optimizer], str | None]] = {
    "Adam for-loop": (lambda params: torch.optim.Adam(params, foreach=False), None),
    ADAM: (lambda params: torch.optim.Adam(params, foreach=True), None),
    "Adam fused": (lambda params: torch.optim.Adam(params, fused=True), None),
    "SGD M": (lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9), None),
    THEIRS: (lambda params: pytorch_optimizer.Adai(params, lr=1.0, foreach=False), None),
    "pytorch_optimizer Adai foreach": (lambda params: pytorch_optimizer.Adai(params, lr=1.0, foreach=True), None),
    "Adai as printed": (lambda params: Plain(params, {}), THEIRS),
    "Adai for-loop": (lambda params: Adai(params, foreach=False), THEIRS),
    "Adai foreach": (lambda params: Adai(params, foreach=True), ADAM),
    "Adai": (lambda params: Adai(params), ADAM),
    "Adai fused": (lambda params: Adai(params, fused=True), "Adam fused"),
    "Adai fused, corrections spent": (lambda params: Adai(params, fused=True), "Adam fused"),
    "AdaiV2 fused": (lambda params: AdaiV2(params, fused=True, **OURS["AdaiV2"].inputs[1]), "Adam fused"),
    "sums of squares alone": (lambda params: Reduction(params, {}), "Adam fused"),
}
"""Each with its peer, to which it is compared; the catalogue's others are added below."""
OPTIMIZERS |= {
    label: (partial(entry.optimizer, **entry.inputs[1]), ADAM if entry.takes("fused") else "Adam for-loop")
    for label, entry in OURS.items()
    if label not in OPTIMIZERS
}
FLOOR = {
    "Adam fused": "7: reads g, m, v, θ; writes m, v, θ",
    "SGD M": "5: reads g, m, θ; writes m, θ",
    "Adai fused": "10: reads g twice, m, v, 1 - ∏β₁, θ; writes m, v, 1 - ∏β₁, θ",
    "Adai fused, corrections spent": "8: reads g twice, m, v, θ; writes m, v, θ",
}


def start(name: str, grads: list[torch.Tensor], device: str) -> torch.optim.Optimizer:
    """Return an optimizer that has made its first steps, on gradients that stay as they are."""
    params = [torch.nn.Parameter(torch.zeros_like(grad)) for grad in grads]
    for param, grad in zip(params, grads, strict=True):
        param.grad = grad
    optimizer = OPTIMIZERS[name][0](params)
    optimizer.step()
    if name.endswith("spent"):
        for param, state in optimizer.state.items():
            state["bias_correction1"] = spent_correction(param)
    optimizer.step()
    return optimizer


def seconds(optimizer: torch.optim.Optimizer, device: str) -> float:
    started = time.perf_counter()
    optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    tensors = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def operations(name: str, optimizer: torch.optim.Optimizer) -> Operations | None:
    """Return the operations that a step dispatches; None of a fused step, whose one call hides them."""
    if "fused" in name:
        return None
    with Operations() as counted:
        optimizer.step()
    return counted


def measure(shapes: list[tuple[int, ...]], device: str, rounds: int) -> dict[str, dict[str, Any]]:
    """Return times, ratios, state and operations of every optimizer on one list of shapes."""
    elements = sum(torch.Size(shape).numel() for shape in shapes)
    generator = torch.Generator().manual_seed(0)
    grads = [0.01 * torch.randn(shape, generator=generator).to(device) for shape in shapes]
    facts = {}
    for name, (_, peer) in OPTIMIZERS.items():
        started = time.perf_counter()
        optimizer = start(name, grads, device)
        first = time.perf_counter() - started
        # No more than two at a time: what lies untouched for long is slow to touch again.
        pair = {peer: start(peer, grads, device)} if peer else {}
        pair[name] = optimizer
        rounds_of = [{each: seconds(one, device) for each, one in pair.items()} for _ in range(rounds)]
        times = [one[name] for one in rounds_of]
        ratios = [one[name] / one[peer] for one in rounds_of] if peer else []
        counted = operations(name, optimizer)
        facts[name] = {
            "median_ms": 1e3 * statistics.median(times),
            "first_steps_s": first,
            "peer": peer,
            "ratio": statistics.quantiles(ratios, n=4) if len(ratios) > 1 else None,
            "state_bytes_per_parameter": state_bytes(optimizer) / elements,
            "operations": counted and counted.count,
            "words_per_parameter": counted and counted.words / elements,
            "floor_words": FLOOR.get(name),
        }
    return facts


def show(results: dict[str, dict[str, dict[str, Any]]]) -> None:
    for shapes, facts in results.items():
        print(f"\n{shapes}")
        print(f"{'':30}{'ms':>9}{'ratio (quartiles)':>24}  {'peer':24}{'B/param':>8}{'ops':>6}{'words':>7}")
        for name, fact in facts.items():
            low, middle, high = fact["ratio"] or (None, None, None)
            ratio = f"{middle:.2f} ({low:.2f} - {high:.2f})" if middle else ""
            print(
                f"{name:30}{fact['median_ms']:9.2f}{ratio:>24}  {fact['peer'] or '':24}"
                f"{fact['state_bytes_per_parameter']:8.1f}{fact['operations'] or '':>6}"
                f"{fact['words_per_parameter'] or math.nan:7.1f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    results = {name: measure(shapes(), arguments.device, arguments.rounds) for name, shapes in LISTS.items()}
    show(results)
    if arguments.out:
        device = processor() if arguments.device == "cpu" else torch.cuda.get_device_name()
        facts = {"device": device, "threads": 1, "torch": torch.__version__, "python": platform.python_version()}
        facts |= {"rounds": arguments.rounds, "load_average": round(load, 1)}
        text = json.dumps({**facts, "results": results}, indent=1, ensure_ascii=False)
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
