"""The one training loop: a spec goes in, a record comes out.

Under torchrun, each process takes its share of every batch, and the gradients are averaged: the run is the same run.
"""

import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from adai import data, records
from adai.data.augment import crop_and_flip, padded
from adai.models import MODELS
from adai.optim import OPTIMIZERS
from adai.processes import agreed, stop_signal
from adai.records import FIRST_STEPS, Record, RecordError, Spec

CHECKPOINT_STEPS = 500
"""After so many steps a run saves itself, if it was given a place to."""
EVALUATION_BATCH = 1000


class Interrupted(SystemExit):
    """A run was asked to stop (SIGTERM) and has saved itself; the same command goes on from there."""


class Run:
    """A run that is ready for its next step.

    Split, initial weights, data order and augmentation each have a random stream of their own, derived from the spec's
    seed alone. So for one seed all optimizers see the same of each, and their results can be compared in pairs.

    Args:
        spec: what to run.
        device: where; on the CPU it takes one thread.
        compiled: whether `torch.compile` makes the model faster.

    Raises:
        RecordError: the spec names a data set, model or optimizer that is not there.
    """

    def __init__(self, spec: Spec, device: str = "cpu", *, compiled: bool = False) -> None:
        for kind, names in (("dataset", data.DATASETS), ("model", MODELS), ("optimizer", OPTIMIZERS)):
            if (name := getattr(spec, kind)) not in names:
                raise RecordError(f"no {kind} is called {name!r}; there are {', '.join(names)}")
        # The order of a sum depends on how threads share it.
        torch.set_num_threads(1)
        self.spec, self.device, self.compiled = spec, torch.device(device), compiled
        shared = dist.is_initialized()
        self.rank, self.processes = (dist.get_rank(), dist.get_world_size()) if shared else (0, 1)
        self.data = data.load(spec.dataset, seed=_stream(spec, "split"), **spec.dataset_options).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_stream(spec, "weights"))
            self.model = MODELS[spec.model](**spec.model_options)
        # Images with channels last are 15 % faster on a CPU, and what a GPU's convolutions in 16 bits want.
        self.model.to(device=device, memory_format=torch.channels_last)
        self.network = self._network()
        self.optimizer = OPTIMIZERS[spec.optimizer](self.model.parameters(), **spec.hyperparameters)
        milestones = [round(fraction * spec.epochs) for fraction in spec.milestones]
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=spec.lr_factor)
        self.dtype = _dtype(spec, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.images = padded(self.data.train_inputs) if spec.augment else self.data.train_inputs
        self.order, self.draws = (torch.Generator().manual_seed(_stream(spec, name)) for name in ("order", "augment"))
        self.epoch_order = self.order.get_state()
        self.steps = 0
        self.losses: list[float] = []
        """Of the steps of the present epoch so far."""
        self.mistakes = 0
        self.first_losses: list[float] = []
        self.curves: dict[str, list[float]] = {"train_loss": [], "train_error": [], "test_error": []}
        if self.data.held_out_targets is not None:
            self.curves["held_out_error"] = []
        self.seconds = {"training": 0.0, "evaluation": 0.0}

    def _network(self) -> nn.Module:
        """The model as it is trained: compiled, or wrapped so that processes average their gradients."""
        if self.processes > 1 and self.device.type == "cuda":  # on the CPU each process normalises by its own share
            self.model = nn.SyncBatchNorm.convert_sync_batchnorm(self.model)
        network = torch.compile(self.model) if self.compiled else self.model
        return DistributedDataParallel(network) if self.processes > 1 else network

    def epoch(self) -> Iterator[float]:
        """Pass over the training set in a new random order, or over what is left of it; yields each step's loss."""
        self.model.train()
        self.epoch_order = self.order.get_state()
        shuffled = torch.randperm(len(self.data.train_targets), generator=self.order)
        for batch in shuffled.split(self.spec.batch_size)[len(self.losses) :]:
            yield self.step(batch)
        self.schedule.step()
        self.first_losses += self.losses[: FIRST_STEPS - len(self.first_losses)]
        self.curves["train_loss"].append(fmean(self.losses))
        self.curves["train_error"].append(100 * self.mistakes / len(shuffled))
        self.losses, self.mistakes = [], 0

    def step(self, batch: Tensor) -> float:
        """One step on the training examples with these indices; returns its loss, a mean over all processes."""
        images = self.images
        inputs = crop_and_flip(images, batch, self.draws) if self.spec.augment else images[batch.to(self.device)]
        targets = self.data.train_targets[batch.to(self.device)]
        inputs, targets = inputs[self.rank :: self.processes], targets[self.rank :: self.processes]
        outputs = self._forward(self.network, inputs)
        # Gradients are averaged over processes; where a batch does not divide evenly, each counts by its examples.
        loss = F.cross_entropy(outputs, targets) * (len(targets) * self.processes / len(batch))
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        wrong = (outputs.argmax(dim=1) != targets).sum()
        found = torch.stack([loss.detach().double() / self.processes, wrong])
        if self.processes > 1:
            dist.all_reduce(found)
        self.mistakes += int(found[1])
        self.steps += 1
        self.losses.append(found[0].item())
        return self.losses[-1]

    def evaluate(self) -> None:
        """Adds the share of examples that the model gets wrong, in percent, to the curves: test, then held-out."""
        self.curves["test_error"].append(self._error(self.data.test_inputs, self.data.test_targets))
        if self.data.held_out_targets is not None:
            held_out = self._error(self.data.held_out_inputs, self.data.held_out_targets)
            self.curves["held_out_error"].append(held_out)

    @torch.no_grad()
    def _error(self, inputs: Tensor, targets: Tensor) -> float:
        self.model.eval()
        predicted = [self._forward(self.model, part).argmax(dim=1) for part in inputs.split(EVALUATION_BATCH)]
        return 100 * (torch.cat(predicted) != targets).float().mean().item()

    def save(self, path: Path) -> None:
        """Write everything that the rest of the run depends on; the file appears whole or not at all."""
        state = {
            "spec": self.spec.hash,
            **{name: getattr(self, name).state_dict() for name in _STATES},
            **{name: getattr(self, name) for name in _PROGRESS},
            # An epoch that has begun draws its order again, and skips the steps that it has made.
            "order": self.epoch_order if self.losses else self.order.get_state(),
            "draws": self.draws.get_state(),
            # Dropout draws from here.
            "random": torch.get_rng_state(),
        }
        with records.whole(path) as file:
            torch.save(state, file)

    def restore(self, path: Path) -> None:
        """Take up a run where it was saved; what follows is bit for bit what would have followed then.

        Raises:
            RecordError: the file is damaged, or was saved by a run of another spec.
        """
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            found = state["spec"]
        except Exception as error:  # what a damaged file raises is not documented
            raise RecordError(f"the checkpoint {path} is damaged ({error}): remove it to start afresh") from None
        if found != self.spec.hash:
            raise RecordError(f"the checkpoint {path} is of the spec {found}, not of {self.spec.hash}: remove it")
        for name in _STATES:
            getattr(self, name).load_state_dict(state[name])
        # Else the schedule warns, after an epoch's last step, that it is stepped before the optimizer ever was.
        self.optimizer._opt_called = True
        for name in _PROGRESS:
            setattr(self, name, state[name])
        self.order.set_state(state["order"])
        self.draws.set_state(state["draws"])
        torch.set_rng_state(state["random"])

    def _forward(self, network: nn.Module, inputs: Tensor) -> Tensor:
        inputs = self.data.normalised(inputs)
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return network(inputs).float()


_STATES = ("model", "optimizer", "schedule", "scaler")
_PROGRESS = ("steps", "losses", "mistakes", "first_losses", "curves", "seconds")


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
    at the end of the epoch, and `held_out_error` likewise where training examples were held out.

    Args:
        spec, device, compiled: as `Run`.
        progress: show a bar, where there is a terminal to show it on.
        checkpoint: a file to go on from if it exists, to save to every `CHECKPOINT_STEPS` steps and on SIGTERM, and
            to remove at the end.
        weights: where to leave the last weights in fp16, if the spec keeps them.

    Raises:
        RecordError: as `Run`, or the checkpoint is damaged or of another spec.
        Interrupted: SIGTERM came; the run is saved where there is a checkpoint.
    """
    run = Run(spec, device, compiled=compiled)
    if checkpoint is not None and checkpoint.exists():
        run.restore(checkpoint)
    epochs = range(len(run.curves["test_error"]), spec.epochs)
    with stop_signal() as stop:
        for _ in tqdm(epochs, unit="epoch", leave=False, disable=None if progress and run.rank == 0 else True):
            _train_epoch(run, checkpoint, stop)
            with _timed(run, "evaluation"):
                run.evaluate()
    if run.rank == 0 and spec.keep_weights and weights is not None:
        _keep_weights(run, weights)
    if run.rank == 0 and checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    gpu = torch.cuda.get_device_name(run.device) if run.device.type == "cuda" else None
    return Record(
        spec=spec,
        environment=records.environment(device=gpu or records.processor(), threads=torch.get_num_threads())
        | {"precision": str(run.dtype).removeprefix("torch."), "compiled": compiled, "processes": run.processes},
        data=_provenance(run),
        curves=run.curves,
        first_losses=run.first_losses,
        images_per_second=spec.epochs * len(run.data.train_targets) / run.seconds["training"],
        seconds=sum(run.seconds.values()),
        peak_memory_mib=torch.cuda.max_memory_allocated(run.device) / 2**20 if gpu else records.peak_memory_mib(),
    )


def first_steps(spec: Spec) -> tuple[dict[str, str], list[float]]:
    """Repeat only the beginning of a run: its data's label and checksum, and its first step losses."""
    run = Run(spec)
    losses = chain.from_iterable(run.epoch() for _ in range(spec.epochs))
    return _provenance(run), list(islice(losses, FIRST_STEPS))


def finished(spec: Spec, folder: Path) -> Run:
    """A run with the weights that it ended in: those that it kept in a records folder, else it is trained anew.

    Raises:
        RecordError: it kept weights, but has no record there, or the data set here is not the one it was trained on.
    """
    run = Run(spec)
    if not spec.keep_weights:
        for _ in range(spec.epochs):
            list(run.epoch())
        return run
    checksum = records.read(records.path_of(spec, folder)).data["checksum"]
    if run.data.checksum != checksum:
        raise RecordError(f"the run was trained on data with the checksum {checksum}, here is {run.data.checksum}")
    from safetensors.torch import load_file

    state = load_file(records.weights_path(spec, folder))
    run.model.load_state_dict({name: v.float() if v.is_floating_point() else v for name, v in state.items()})
    return run


def _train_epoch(run: Run, checkpoint: Path | None, stop: threading.Event) -> None:
    steps, at_end = run.epoch(), object()
    while True:
        with _timed(run, "training"):
            if next(steps, at_end) is at_end:
                return
        stopped = agreed(stop, run.device)
        if checkpoint is not None and run.rank == 0 and (stopped or run.steps % CHECKPOINT_STEPS == 0):
            run.save(checkpoint)
        if stopped:
            raise Interrupted(128 + signal.SIGTERM)


def _dtype(spec: Spec, device: torch.device) -> torch.dtype:
    if spec.precision == "fp32" or device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def _keep_weights(run: Run, path: Path) -> None:
    from safetensors.torch import save

    tensors = run.model.state_dict()
    halved = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    with records.whole(path) as file:
        file.write(save({name: t.contiguous() for name, t in halved.items()}))


@contextmanager
def _timed(run: Run, what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    run.seconds[what] += time.perf_counter() - started


def _stream(spec: Spec, axis: str) -> int:
    """The seed of one named random choice; neither optimizer nor hyperparameters enter it."""
    return int.from_bytes(hashlib.sha256(f"{axis}/{spec.seed}".encode()).digest()[:4], "big")


def _provenance(run: Run) -> dict[str, str]:
    return {"label": run.data.label, "checksum": run.data.checksum}
