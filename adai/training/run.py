"""A run of training: its state, its steps, its errors, and how it is saved and taken up again.

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
from adai.data.augment import Batches
from adai.models import MODELS, memory_format
from adai.optim import CATALOGUE, create
from adai.records import FIRST_STEPS, RecordError, Spec

EVALUATION_BATCH = 1000


class Run:
    """A run that is ready for its next step.

    Split, initial weights, data order and augmentation each have a random stream of their own, derived from the spec's
    seed alone. So for one seed all optimizers see the same of each, and their results can be compared in pairs.

    Args:
        spec: what to run.
        device: where; on the CPU it takes one thread.
        compiled: whether `torch.compile` makes the model faster.

    Raises:
        RecordError: the spec names a data set, model or optimizer that is not there, or a text without `bptt`; or the
            model cannot be compiled safely (`adai.models.memory_format`).
    """

    CURVES: tuple[str, ...] = ("train_loss", "train_error", "test_error")
    PROGRESS: tuple[str, ...] = ("steps", "losses", "mistakes", "first_losses", "curves", "seconds")
    """What a checkpoint holds beside `_STATES` and the random streams."""

    def __init__(self, spec: Spec, device: str = "cpu", *, compiled: bool = False) -> None:
        for kind, names in (("dataset", data.DATASETS), ("model", MODELS), ("optimizer", CATALOGUE)):
            if (name := getattr(spec, kind)) not in names:
                raise RecordError(f"no {kind} is called {name!r}; there are {', '.join(names)}")
        if (spec.bptt is not None) != (spec.dataset in data.TEXTS):
            raise RecordError(f"bptt is {spec.bptt} on {spec.dataset}: a text needs it, and nothing else does")
        # The order of a sum depends on how threads share it.
        torch.set_num_threads(1)
        self.spec, self.device, self.compiled = spec, torch.device(device), compiled
        shared = dist.is_initialized()
        self.rank, self.processes = (dist.get_rank(), dist.get_world_size()) if shared else (0, 1)
        self.data = data.load(spec.dataset, seed=stream(spec, "split"), **spec.dataset_options).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(spec, "weights"))
            self.model = MODELS[spec.model](**spec.model_options)
        self.format = memory_format(self.model, self.device)
        if compiled and self.format == torch.contiguous_format:  # a compiled model chooses for itself
            name = f"{spec.model} of {spec.model_options}"
            raise RecordError(f"{name} is too narrow to be compiled on a CPU: leave --compile out")
        self.model.to(device=device, memory_format=self.format)
        self.network = self._network()
        self.optimizer = create(spec.optimizer, self.model.parameters(), **spec.hyperparameters)
        milestones = [round(fraction * spec.epochs) for fraction in spec.milestones]
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=spec.lr_factor)
        self.dtype = _dtype(spec, self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.inputs = Batches(self.data, spec.crop if spec.augment else None)
        self.order, self.draws = (torch.Generator().manual_seed(stream(spec, name)) for name in ("order", "augment"))
        self.epoch_order = self.order.get_state()
        self.steps = 0
        self.losses: list[float] = []
        """Of the steps of the present epoch so far."""
        self.mistakes = 0
        self.first_losses: list[float] = []
        self.curves: dict[str, list[float]] = {name: [] for name in self.CURVES}
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
        for batch in self.parts()[len(self.losses) :]:
            yield self.step(batch)
        self.schedule.step()
        self.first_losses += self.losses[: FIRST_STEPS - len(self.first_losses)]
        self.curves["train_loss"].append(fmean(self.losses))
        if "train_error" in self.curves:
            self.curves["train_error"].append(100 * self.mistakes / len(self.data.train_targets))
        self.losses, self.mistakes = [], 0

    def parts(self) -> Sequence[Tensor]:
        """What the steps of an epoch are made on: the training examples' indices, in a new random order."""
        shuffled = torch.randperm(len(self.data.train_targets), generator=self.order)
        return shuffled.split(self.spec.batch_size)

    def step(self, batch: Tensor) -> float:
        """One step on the training examples with these indices; returns its loss, a mean over all processes."""
        share = slice(self.rank, None, self.processes)
        inputs = self.inputs(batch, share, self.draws)
        targets = self.data.train_targets[batch[share].to(self.device)]
        outputs = self._forward(self.network, inputs)
        # Gradients are averaged over processes; where a batch does not divide evenly, each counts by its examples.
        loss = F.cross_entropy(outputs, targets) * (len(targets) * self.processes / len(batch))
        self._descend(loss)
        wrong = (outputs.argmax(dim=1) != targets).sum()
        found = torch.stack([loss.detach().double() / self.processes, wrong])
        if self.processes > 1:
            dist.all_reduce(found)
        self.mistakes += int(found[1])
        self.losses.append(found[0].item())
        return self.losses[-1]

    def _descend(self, loss: Tensor) -> None:
        """Moves the weights against the gradient of a loss."""
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.spec.clip is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.steps += 1

    def evaluate(self) -> None:
        """Adds the share of examples that the model gets wrong, in percent, to the curves: test, then held-out."""
        best = {"error": 1, "top5_error": 5} if self.spec.top5 else {"error": 1}
        for part in ("test", "held_out"):
            if (targets := getattr(self.data, f"{part}_targets")) is not None:
                outputs = self._outputs(getattr(self.data, f"{part}_inputs"))
                for name, count in best.items():
                    self.curves.setdefault(f"{part}_{name}", []).append(_error(outputs, targets, count))

    @torch.no_grad()
    def _outputs(self, inputs: data.Inputs) -> Tensor:
        self.model.eval()
        return torch.cat([self._forward(self.model, part) for part in inputs.split(EVALUATION_BATCH)])

    def save(self, path: Path) -> None:
        """Write everything that the rest of the run depends on; the file appears whole or not at all."""
        state = {
            "spec": self.spec.hash,
            **{name: getattr(self, name).state_dict() for name in _STATES},
            **{name: getattr(self, name) for name in self.PROGRESS},
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
        for name in self.PROGRESS:
            setattr(self, name, state[name])
        self.order.set_state(state["order"])
        self.draws.set_state(state["draws"])
        torch.set_rng_state(state["random"])

    def _forward(self, network: nn.Module, inputs: Tensor) -> Tensor:
        inputs = self.data.normalised(inputs.to(self.device))
        if inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=self.format)
        with self._precision():
            return network(inputs).float()

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


_STATES = ("model", "optimizer", "schedule", "scaler")


def _error(outputs: Tensor, targets: Tensor, best: int = 1) -> float:
    """Percent of the examples whose class is not among the so many largest outputs."""
    guesses = outputs.argmax(dim=1, keepdim=True) if best == 1 else outputs.topk(best).indices  # argmax: NaN, ties
    return 100 * (guesses != targets[:, None]).all(dim=1).float().mean().item()


def _dtype(spec: Spec, device: torch.device) -> torch.dtype:
    if spec.precision == "fp32" or device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def stream(spec: Spec, axis: str) -> int:
    """The seed of one named random choice; neither optimizer nor hyperparameters enter it."""
    return int.from_bytes(hashlib.sha256(f"{axis}/{spec.seed}".encode()).digest()[:4], "big")
