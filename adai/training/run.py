"""A run of training: its state, its steps, its errors, and how it is saved and restored.

Under torchrun, each process takes its share of every batch, and the gradients are averaged: the run is the same run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from adai import data, records
from adai.data.augment import TrainingInputs
from adai.models import MODELS, memory_format
from adai.optim import CATALOGUE, create
from adai.records import FIRST_STEPS, RecordError, Spec

EVALUATION_BATCH = 1000
_STATES = ("model", "optimizer", "schedule", "scaler")
"""Parts of a run that have a `state_dict`."""


class Run:
    """A training run before its next step.

    Split, initial weights, data order and augmentation each have a random stream of their own, derived from the spec's
    seed alone. So for one seed all optimizers see the same of each, and their results can be compared in pairs.

    Args:
        spec: what to run.
        device: where to train, ``"cpu"`` or ``"cuda"``; on the CPU, in one thread.
        compiled: compile the model with `torch.compile`.

    Raises:
        RecordError: there is no data set, model or optimizer of the name that the spec has, or a text has no `bptt`; or
            the model cannot be compiled safely (`adai.models.memory_format`).
    """

    _CURVES: tuple[str, ...] = ("train_loss", "train_error", "test_error")
    _PROGRESS: tuple[str, ...] = ("steps", "losses", "mistakes", "first_losses", "curves", "seconds")
    """Attributes that a checkpoint holds beside `_STATES` and the random streams."""

    def __init__(self, spec: Spec, device: str = "cpu", *, compiled: bool = False) -> None:
        _require_known(spec)
        # The order of a sum depends on how threads share it.
        torch.set_num_threads(1)
        self.spec, self.device, self.compiled = spec, torch.device(device), compiled
        shared = dist.is_initialized()
        self.rank, self.processes = (dist.get_rank(), dist.get_world_size()) if shared else (0, 1)
        self.data = data.load(spec.dataset, seed=stream_seed(spec, "split"), **spec.dataset_options).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(spec, "weights"))
            self.model: nn.Module = MODELS[spec.model](**spec.model_options)
        self.format = memory_format(self.model, self.device)
        if compiled and self.format == torch.contiguous_format:  # a compiled model chooses for itself
            name = f"{spec.model} of {spec.model_options}"
            raise RecordError(f"{name} is too narrow to be compiled on a CPU: leave --compile out")
        self.model.to(device=device, memory_format=self.format)  # type: ignore[call-overload]  # not in torch's stubs
        self.network = self._network()
        self.optimizer = create(spec.optimizer, self.model.parameters(), **spec.hyperparameters)
        milestones = [round(fraction * spec.epochs) for fraction in spec.milestones]
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=spec.lr_factor)
        self.dtype = _autocast_dtype(spec, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.inputs = TrainingInputs(self.data, spec.crop if spec.augment else None)
        self.order = torch.Generator().manual_seed(stream_seed(spec, "order"))
        self.draws = torch.Generator().manual_seed(stream_seed(spec, "augment"))
        self.epoch_order = self.order.get_state()
        self.steps = 0
        self.losses: list[float] = []
        """One for each step of the present epoch so far."""
        self.mistakes = 0
        self.first_losses: list[float] = []
        self.curves: dict[str, list[float]] = {name: [] for name in self._CURVES}
        self.seconds = {"training": 0.0, "evaluation": 0.0}

    def _network(self) -> nn.Module:
        """Return the model as it is trained: compiled, or wrapped so that processes average their gradients."""
        if self.processes > 1 and self.device.type == "cuda":  # on the CPU each process normalises by its own share
            self.model = nn.SyncBatchNorm.convert_sync_batchnorm(self.model)  # type: ignore[no-untyped-call]  # torch's
        network = torch.compile(self.model) if self.compiled else self.model
        assert isinstance(network, nn.Module)
        return DistributedDataParallel(network) if self.processes > 1 else network

    def epoch(self) -> Iterator[float]:
        """Pass over the training set in a new random order, or over the rest of it, and yield each step's loss."""
        self.model.train()
        self.epoch_order = self.order.get_state()
        for batch in self.batches()[len(self.losses) :]:
            yield self.step(batch)
        self.schedule.step()
        self.first_losses += self.losses[: FIRST_STEPS - len(self.first_losses)]
        self.curves["train_loss"].append(fmean(self.losses))
        if "train_error" in self.curves:
            self.curves["train_error"].append(100 * self.mistakes / len(self.data.train_targets))
        self.losses, self.mistakes = [], 0

    def batches(self) -> Sequence[Tensor]:
        """Draw a new order of the training examples, and return the indices of each step: tensors of shape (batch,)."""
        shuffled = torch.randperm(len(self.data.train_targets), generator=self.order)
        return torch.split(shuffled, self.spec.batch_size)

    def step(self, batch: Tensor) -> float:
        """Make one step on the training examples with these indices, and return its loss, a mean over the batch."""
        share = slice(self.rank, None, self.processes)
        inputs = self.inputs(batch, share, self.draws)
        targets = self.data.train_targets[batch[share].to(self.device)]
        outputs = self._forward(self.network, inputs)
        # Gradients are averaged over processes; where a batch does not divide evenly, each counts by its examples.
        loss = F.cross_entropy(outputs, targets) * (len(targets) * self.processes / len(batch))
        self._update_weights(loss)
        wrong = (outputs.argmax(dim=1) != targets).sum()
        found = torch.stack([loss.detach().double() / self.processes, wrong])
        if self.processes > 1:
            dist.all_reduce(found)
        self.mistakes += int(found[1])
        self.losses.append(found[0].item())
        return self.losses[-1]

    def _update_weights(self, loss: Tensor) -> None:
        """Make one optimizer step with the gradient of a loss, clipped if the spec asks for it."""
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch's
        if self.spec.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.steps += 1

    def evaluate(self) -> None:
        """Append the model's errors in percent to the curves: on test examples, then on held-out ones if there are."""
        best = {"error": 1, "top5_error": 5} if self.spec.top5 else {"error": 1}
        for part in ("test", "held_out"):
            if (targets := getattr(self.data, f"{part}_targets")) is not None:
                outputs = self._predict(getattr(self.data, f"{part}_inputs"))
                for name, count in best.items():
                    self.curves.setdefault(f"{part}_{name}", []).append(_error_percent(outputs, targets, count))

    @torch.no_grad()
    def _predict(self, inputs: data.Inputs) -> Tensor:
        """Return the model's outputs in evaluation mode, shape (examples, classes)."""
        self.model.eval()
        return torch.cat([self._forward(self.model, part) for part in inputs.split(EVALUATION_BATCH)])

    def save(self, path: Path) -> None:
        """Write a checkpoint: all that the rest of the run depends on. The file appears whole or not at all."""
        state = {
            "spec": self.spec.hash,
            **{name: getattr(self, name).state_dict() for name in _STATES},
            **{name: getattr(self, name) for name in self._PROGRESS},
            # An epoch that was interrupted draws its order again, and skips the steps that it has made.
            "order": self.epoch_order if self.losses else self.order.get_state(),
            "draws": self.draws.get_state(),
        }
        with records.atomic_write(path) as file:
            torch.save(state, file)

    def restore(self, path: Path) -> None:
        """Take up a run where it was saved; its further steps are bit for bit those of a run that never stopped.

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
        # Else the schedule warns, if the run stopped after an epoch's last step, that the optimizer made none.
        self.optimizer._opt_called = True  # type: ignore[attr-defined]  # torch's own mark, which it sets in a step
        for name in self._PROGRESS:
            setattr(self, name, state[name])
        self.order.set_state(state["order"])
        self.draws.set_state(state["draws"])

    def _forward(self, network: nn.Module, inputs: Tensor) -> Tensor:
        inputs = self.data.normalised(inputs.to(self.device))
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=self.format)
        with self._autocast():
            outputs: Tensor = network(inputs).float()
        return outputs

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def _require_known(spec: Spec) -> None:
    """Raise `RecordError` unless the names of a spec exist, and it has `bptt` exactly if it is on a text."""
    for kind, names in (("dataset", data.DATASETS), ("model", MODELS), ("optimizer", CATALOGUE)):
        if (name := getattr(spec, kind)) not in names:
            raise RecordError(f"no {kind} is called {name!r}; there are {', '.join(names)}")
    if (spec.bptt is not None) != (spec.dataset in data.TEXTS):
        raise RecordError(f"bptt is {spec.bptt} on {spec.dataset}: a text needs it, and nothing else does")


def _error_percent(outputs: Tensor, targets: Tensor, best: int = 1) -> float:
    """Return the percentage of examples whose class is not among the `best` largest outputs.

    Args:
        outputs: shape (examples, classes).
        targets: class indices, shape (examples,).
        best: how many guesses an example has.
    """
    guesses = outputs.argmax(dim=1, keepdim=True) if best == 1 else outputs.topk(best).indices  # argmax: NaN, ties
    return 100 * (guesses != targets[:, None]).all(dim=1).float().mean().item()


def _autocast_dtype(spec: Spec, device: torch.device) -> torch.dtype:
    if spec.precision == "fp32" or device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def stream_seed(spec: Spec, axis: str) -> int:
    """Return the seed of one named random choice of a run; neither optimizer nor hyperparameters enter it."""
    return int.from_bytes(hashlib.sha256(f"{axis}/{spec.seed}".encode()).digest()[:4], "big")
