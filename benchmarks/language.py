"""What the paper's language model costs at the paper's settings, and how far its one printed rate moves each optimizer.

    python -m benchmarks.language [--out FILE.json] [--device cpu|cuda] [--steps N]

The LSTM of 14 million parameters on Penn Treebank (`ADAI_DATA`), batches of 20, truncation after 35 tokens, and the
learning rate 0.001 for Adai, SGD with momentum and Adam alike. On a CPU, times are this process's own, of one thread,
so that what else the machine does enters little.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from adai.experiments import language
from adai.optim import settings
from adai.records import Spec, processor
from adai.training import LanguageRun
from adai.training.language import perplexity

WARM_UP = 3
EVALUATED = 3000
"""Tokens in the evaluation that is timed."""


def spec(optimizer: str) -> Spec:
    """Return the paper's settings, with the one learning rate that it prints."""
    at_paper = next(iter(language.runs("paper").values()))
    hyperparameters = {name: setting.value for name, setting in settings(optimizer, "ptb").items()}
    return replace(at_paper, optimizer=optimizer, hyperparameters=hyperparameters, seed=0)


def clock(device: str) -> Callable[[], float]:
    """Return seconds: of this process on a CPU, of the wall on a GPU."""
    return time.process_time if device == "cpu" else time.perf_counter


def measure(optimizer: str, device: str, steps: int) -> dict[str, Any]:
    """Measure a run's first steps: its losses, the median seconds of a step, and how far it got."""
    run, now, times = LanguageRun(spec(optimizer), device), clock(device), []
    begin = torch.nn.utils.parameters_to_vector(run.model.parameters()).detach().clone()
    losses, epoch = [], run.epoch()
    for _ in range(steps):
        started = now()
        losses += islice(epoch, 1)
        times.append(now() - started)
    end = torch.nn.utils.parameters_to_vector(run.model.parameters()).detach()
    started = now()
    perplexity(run.model, run.data.held_out_inputs[:EVALUATED], run.data.held_out_targets[:EVALUATED])
    return {
        "parameters": len(begin),
        "losses": [round(loss, 4) for loss in losses],
        "seconds_a_step": statistics.median(times[WARM_UP:]),
        "seconds_a_token_evaluated": (now() - started) / EVALUATED,
        "steps_an_epoch": len(run.batches()),
        "norm_of_weights": begin.norm().item(),
        "distance": (end - begin).norm().item(),
    }


def text() -> dict[str, Any]:
    """Return the sizes of the text and how many of its words a step sees."""
    run = LanguageRun(spec("sgd"))
    words = [run.lanes[0][part].unique() for part in run.batches()]
    steps_with = torch.cat(words).bincount(minlength=run.model.embedding.num_embeddings)
    limit = language.SIZES["laptop"]["dataset_options"]["limit"]
    return {
        "tokens": {"train": len(run.data.train_targets), "valid": len(run.data.held_out_targets)}
        | {"test": len(run.data.test_targets)},
        "vocabulary": run.data.train_targets.unique().numel(),
        "words_a_step": statistics.fmean(map(len, words)),
        "words_in_under_a_hundredth_of_steps": int((steps_with < len(words) / 100).sum()),
        "limit": limit,
        "words_of_the_limited_text": run.data.train_targets[:limit].unique().numel(),
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=100)
    arguments = parser.parse_args()
    device = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{processor()}, one thread"
    found = {"device": device, "torch": torch.__version__, "text": text(), "runs": {}}
    for optimizer in language.LABELS:
        run = found["runs"][optimizer] = measure(optimizer, arguments.device, arguments.steps)
        print(
            f"{optimizer:5} {run['seconds_a_step'] * 1e3:7.1f} ms a step, loss {run['losses'][0]:.3f} to "
            f"{run['losses'][-1]:.3f} in {arguments.steps} steps, moved {run['distance']:.3g} of "
            f"{run['norm_of_weights']:.3g}",
            flush=True,
        )
    if arguments.out:
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
        arguments.out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
