"""The one training loop: a spec goes in, a record comes out."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from adai import data, records
from adai.records import FIRST_STEPS, Record, RecordError, Spec
from adai.training.language import LanguageRun
from adai.training.processes import all_stop, stop_signal
from adai.training.run import Run

__all__ = ["Interrupted", "LanguageRun", "Run", "first_steps", "load_finished", "make_run", "train"]

CHECKPOINT_STEPS = 500
"""Steps from one checkpoint to the next."""


class Interrupted(SystemExit):
    """A run was asked to stop (SIGTERM) and has saved itself; the same command goes on from there."""


def make_run(spec: Spec, device: str = "cpu", *, compiled: bool = False) -> Run:
    """Return the run that a spec describes, before its first step: a `LanguageRun` on a text, else a `Run`.

    Args:
        spec, device, compiled: as `Run`.

    Raises:
        RecordError: as `Run` and `LanguageRun`.
    """
    kind = LanguageRun if spec.dataset in data.TEXTS else Run
    return kind(spec, device, compiled=compiled)


def train(
    spec: Spec,
    device: str = "cpu",
    *,
    compiled: bool = False,
    progress: bool = False,
    checkpoint: Path | None = None,
    weights: Path | None = None,
) -> Record:
    """Train one run to its end and return its record, not yet saved.

    The record's curves have one value per epoch: `train_loss`, the mean of the epoch's step losses, and
    `train_error` in percent, both of each batch before its step (the weights move meanwhile); `test_error` in percent,
    at the end of the epoch, and `held_out_error` likewise where training examples were held out. Both also come as
    `test_top5_error` and `held_out_top5_error` where the spec asks for them. A run on a text has `train_loss`,
    `valid_perplexity` and `test_perplexity`.

    Args:
        spec, device, compiled: as `Run`.
        progress: show a progress bar if standard error is a terminal.
        checkpoint: a file. If it exists, the run goes on from it; the run is saved to it every `CHECKPOINT_STEPS` steps
            and on SIGTERM, and it is removed at the end.
        weights: a file for the last weights in fp16, written if the spec keeps them.

    Raises:
        RecordError: as `Run`, or the checkpoint is damaged or of another spec.
        Interrupted: SIGTERM came; the run is saved if there is a checkpoint.
    """
    run = make_run(spec, device, compiled=compiled)
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
    epochs = range(len(run.curves["train_loss"]), spec.epochs)
    # Asked at the start: what is committed while a run lasts is not the code that runs.
    environment = _environment(run)
    # On a GPU fp32 is fp32, not the ten bits of TF32; and batches have one shape, so trying algorithms pays.
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False), stop_signal() as stop:
        for _ in tqdm(epochs, unit="epoch", leave=False, disable=None if progress and run.rank == 0 else True):
            _train_epoch(run, checkpoint, stop)
            with _timed(run, "evaluation"):
                run.evaluate()
    if run.rank == 0 and spec.keep_weights and weights is not None:
        _keep_weights(run, weights)
    if run.rank == 0 and checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return Record(
        spec=spec,
        environment=environment,
        data=_provenance(run),
        curves=run.curves,
        first_losses=run.first_losses,
        examples_per_second=spec.epochs * len(run.data.train_targets) / run.seconds["training"],
        seconds=sum(run.seconds.values()),
        peak_memory_mib=_peak_memory_mib(run),
    )


def first_steps(spec: Spec, steps: int = FIRST_STEPS) -> tuple[dict[str, str], list[float]]:
    """Repeat the first steps of a run on the CPU, and return its data's label and checksum, and the steps' losses.

    Raises:
        RecordError: as `make_run`.
    """
    run = make_run(spec)
    losses = chain.from_iterable(run.epoch() for _ in range(spec.epochs))
    return _provenance(run), list(islice(losses, steps))


def load_finished(spec: Spec, folder: Path) -> Run:
    """Return a run with its last weights: read from a records folder if the spec keeps them, else trained anew.

    Raises:
        RecordError: the spec keeps weights, but has no record there, or the data set here is not the one that the run
            was trained on.
    """
    from safetensors.torch import load_file

    run = make_run(spec)
    if not spec.keep_weights:
        for _ in range(spec.epochs):
            list(run.epoch())
        return run
    checksum = records.read_record(records.path_of(spec, folder)).data["checksum"]
    if run.data.checksum != checksum:
        raise RecordError(f"the run was trained on data with the checksum {checksum}, here is {run.data.checksum}")
    state = load_file(records.weights_path(spec, folder))
    run.model.load_state_dict({name: v.float() if v.is_floating_point() else v for name, v in state.items()})
    return run


def _train_epoch(run: Run, checkpoint: Path | None, stop: threading.Event) -> None:
    steps, at_end = run.epoch(), object()
    while True:
        with _timed(run, "training"):
            if next(steps, at_end) is at_end:
                return
        stopped = all_stop(stop, run.device)
        if checkpoint is not None and run.rank == 0 and (stopped or run.steps % CHECKPOINT_STEPS == 0):
            run.save(checkpoint)
        if stopped:
            raise Interrupted(128 + signal.SIGTERM)


def _environment(run: Run) -> dict[str, Any]:
    """Return where and how a run trains, as its record names it."""
    gpu = torch.cuda.get_device_name(run.device) if run.device.type == "cuda" else None
    return {
        **records.environment(device=gpu or records.processor(), threads=torch.get_num_threads()),
        "precision": str(run.dtype).removeprefix("torch."),
        "compiled": run.compiled,
        "processes": run.processes,
    }


def _peak_memory_mib(run: Run) -> float | None:
    if run.device.type == "cuda":
        return torch.cuda.max_memory_allocated(run.device) / 2**20
    return records.peak_memory_mib()


def _keep_weights(run: Run, path: Path) -> None:
    from safetensors.torch import save

    tensors = run.model.state_dict()
    halved = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    with records.atomic_write(path) as file:
        file.write(save({name: t.contiguous() for name, t in halved.items()}))


@contextmanager
def _timed(run: Run, what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    run.seconds[what] += time.perf_counter() - started


def _provenance(run: Run) -> dict[str, str]:
    return {"label": run.data.label, "checksum": run.data.checksum}
