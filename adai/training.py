"""The one training loop: a spec goes in, a record comes out."""

import hashlib
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from statistics import fmean

import torch
from torch.nn import functional as F
from tqdm import tqdm

from adai import data, records
from adai.models import MODELS
from adai.optim import OPTIMIZERS
from adai.records import FIRST_STEPS, Record, RecordError, Spec


class Run:
    """A run that is ready for its first step, on the CPU, in fp32, with one thread.

    Split, initial weights and data order each have a random stream of their own, derived from the spec's seed
    alone. So for one seed all optimizers see the same of each, and their results can be compared in pairs.

    Args:
        spec: what to run.

    Raises:
        RecordError: the spec names a data set, model or optimizer that is not there.
    """

    def __init__(self, spec: Spec) -> None:
        for kind, names in (("dataset", data.DATASETS), ("model", MODELS), ("optimizer", OPTIMIZERS)):
            if (name := getattr(spec, kind)) not in names:
                raise RecordError(f"no {kind} is called {name!r}; there are {', '.join(names)}")
        # The order of a sum depends on how threads share it.
        torch.set_num_threads(1)
        self.spec = spec
        self.data = data.load(spec.dataset, seed=_stream(spec, "split"), **spec.dataset_options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_stream(spec, "weights"))
            self.model = MODELS[spec.model](**spec.model_options)
        self.optimizer = OPTIMIZERS[spec.optimizer](self.model.parameters(), **spec.hyperparameters)
        milestones = [round(fraction * spec.epochs) for fraction in spec.milestones]
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, milestones, gamma=spec.lr_factor)
        self.order = torch.Generator().manual_seed(_stream(spec, "order"))

    def epoch(self) -> Iterator[float]:
        """Pass once over the training set in a new random order; yields the loss of each step."""
        self.model.train()
        shuffled = torch.randperm(len(self.data.train_targets), generator=self.order)
        for batch in shuffled.split(self.spec.batch_size):
            loss = F.cross_entropy(self.model(self.data.train_inputs[batch]), self.data.train_targets[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            yield loss.item()
        self.schedule.step()

    @torch.no_grad()
    def test_error(self) -> float:
        """The share of test examples that the model gets wrong, in percent."""
        self.model.eval()
        predicted = self.model(self.data.test_inputs).argmax(dim=1)
        return 100 * (predicted != self.data.test_targets).float().mean().item()


def train(spec: Spec, *, progress: bool = False) -> Record:
    """Train one run to its end and return its record, not yet saved.

    The record's curves have one value per epoch: `train_loss`, the mean of the epoch's step losses (the weights
    move meanwhile), and `test_error` in percent, at the end of the epoch.

    Args:
        spec: what to run.
        progress: show a bar, where there is a terminal to show it on.

    Raises:
        RecordError: as `Run`.
    """
    started = time.perf_counter()
    run = Run(spec)
    first_losses: list[float] = []
    train_loss, test_error = [], []
    training_seconds = 0.0
    for _ in tqdm(range(spec.epochs), unit="epoch", leave=False, disable=None if progress else True):
        epoch_started = time.perf_counter()
        losses = list(run.epoch())
        training_seconds += time.perf_counter() - epoch_started
        first_losses += losses[: FIRST_STEPS - len(first_losses)]
        train_loss.append(fmean(losses))
        test_error.append(run.test_error())
    return Record(
        spec=spec,
        environment=records.environment(device=records.processor(), threads=torch.get_num_threads()),
        data=_provenance(run),
        curves={"train_loss": train_loss, "test_error": test_error},
        first_losses=first_losses,
        images_per_second=spec.epochs * len(run.data.train_targets) / training_seconds,
        seconds=time.perf_counter() - started,
        peak_memory_mib=_peak_memory_mib(),
    )


def first_steps(spec: Spec) -> tuple[dict[str, str], list[float]]:
    """Repeat only the beginning of a run: its data's label and checksum, and its first step losses."""
    run = Run(spec)
    losses = chain.from_iterable(run.epoch() for _ in range(spec.epochs))
    return _provenance(run), list(islice(losses, FIRST_STEPS))


def _stream(spec: Spec, axis: str) -> int:
    """The seed of one named random choice; neither optimizer nor hyperparameters enter it."""
    return int.from_bytes(hashlib.sha256(f"{axis}/{spec.seed}".encode()).digest()[:4], "big")


def _provenance(run: Run) -> dict[str, str]:
    return {"label": run.data.label, "checksum": run.data.checksum}


def _peak_memory_mib() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
