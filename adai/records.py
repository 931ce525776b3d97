"""What a run is, what it leaves behind, and how to tell a true record from a false one.

A `Spec` says everything that decides a run's result. A `Record` is what the run left: one JSON file,
`book/records/<experiment>/<hash of the spec>.json`, that appears whole or not at all. `faults` finds out a
record that nobody can repeat.

Only the standard library is needed here, so chapters read records without loading torch.
"""

import functools
import hashlib
import json
import math
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

SCALES = ("smoke", "laptop", "colab", "paper")
PRECISIONS = ("fp32", "mixed")
CROPS = ("padded", "resized")
FIRST_STEPS = 20
"""How many step losses a record keeps in full precision, to be repeated by a check."""
LARGEST_TOLERANCE = 0.1
TEST_CURVES = {"test_error": "test error {:.2f} %", "test_perplexity": "test perplexity {:.1f}"}
"""What a run may be judged by, and how one value is shown; a record has one of them."""

CHECKOUT = Path(__file__).resolve().parents[1]


class RecordError(ValueError):
    """A spec or a record that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Everything that decides the result of one training run.

    A field added later must have a default, and no default may ever change: a field at its default does not
    enter the hash, so older records keep their names.

    Args:
        experiment: the table of runs it belongs to, also the folder of its record.
        scale: `smoke`, `laptop`, `colab` or `paper`; results are compared within one scale only.
        dataset: a name in `adai.data.DATASETS`.
        model: a name in `adai.models.MODELS`.
        optimizer: a name in `adai.optim.CATALOGUE`.
        hyperparameters: the optimizer's keyword arguments, `lr` among them.
        seed: every random choice of the run follows from it.
        epochs: passes over the training set.
        batch_size: examples a step.
        dataset_options: keyword arguments of the data set's reader.
        model_options: keyword arguments of the model.
        milestones: when the learning rate drops, as fractions of the epochs. The default is the paper's
            schedule for CIFAR-10, epochs 80 and 160 (App. D.1), read as those of 200: the paper does not print
            how many epochs it trains.
        lr_factor: what the learning rate is multiplied by at each milestone.
        precision: `fp32`, or `mixed`: bf16 on a GPU that has it natively, fp16 with a scaled loss on one that has
            not, fp32 on a CPU. The record's environment says which it was.
        keep_weights: leave the last weights beside the record (see `weights_path`).
        augment: train on random crops and mirror images (`adai.data.augment`).
        clip: the largest norm of a gradient, all parameters together; longer ones are shortened to it.
        bptt: tokens after which backpropagation through a text is cut off; only for texts, and demanded there.
        crop: what is cropped, if so: images `padded` by four pixels, or boxes of any size and shape, `resized`.
        top5: measure the top-5 test error, too: the share of examples whose class is not among the five most likely.

    Raises:
        RecordError: a value is of the wrong type or out of its range.
    """

    experiment: str
    scale: str
    dataset: str
    model: str
    optimizer: str
    hyperparameters: dict[str, Any]
    seed: int
    epochs: int
    batch_size: int
    dataset_options: dict[str, Any] = field(default_factory=dict)
    model_options: dict[str, Any] = field(default_factory=dict)
    milestones: tuple[float, ...] = (0.4, 0.8)
    lr_factor: float = 0.1
    precision: str = "fp32"
    keep_weights: bool = False
    augment: bool = False
    clip: float | None = None
    bptt: int | None = None
    crop: str = "padded"
    top5: bool = False

    def __post_init__(self) -> None:
        for spec_field in fields(self):
            value = _canonical(spec_field.name, getattr(self, spec_field.name))
            object.__setattr__(self, spec_field.name, value)
        # The experiment names a folder: a foreign record must not reach outside of it.
        for name in ("experiment", "dataset", "model", "optimizer"):
            value = getattr(self, name)
            pattern = r"[a-z0-9][a-z0-9_-]*"
            _demand(isinstance(value, str) and re.fullmatch(pattern, value), name, value, "a lower-case name")
        _demand(self.scale in SCALES, "scale", self.scale, f"one of {', '.join(SCALES)}")
        _demand(self.precision in PRECISIONS, "precision", self.precision, f"one of {', '.join(PRECISIONS)}")
        _demand(self.crop in CROPS, "crop", self.crop, f"one of {', '.join(CROPS)}")
        _demand(self.augment or self.crop == CROPS[0], "crop", self.crop, f"{CROPS[0]} in a run that does not augment")
        for name in ("keep_weights", "augment", "top5"):
            _demand(isinstance(getattr(self, name), bool), name, getattr(self, name), "true or false")
        for name in ("hyperparameters", "dataset_options", "model_options"):
            _demand(isinstance(getattr(self, name), dict), name, getattr(self, name), "a dictionary")
        for name, least in (("seed", 0), ("epochs", 1), ("batch_size", 1)):
            value = getattr(self, name)
            _demand(_is_integer(value) and value >= least, name, value, f"an integer of at least {least}")
        lr = self.hyperparameters.get("lr")
        _demand(_is_number(lr) and lr > 0, "hyperparameters['lr']", lr, "a positive number")
        increasing = isinstance(self.milestones, tuple) and all(map(_is_number, self.milestones))
        increasing = increasing and list(self.milestones) == sorted(set(self.milestones))
        _demand(
            increasing and all(0 < fraction < 1 for fraction in self.milestones),
            "milestones",
            self.milestones,
            "increasing fractions between 0 and 1",
        )
        _demand(
            _is_number(self.lr_factor) and 0 < self.lr_factor <= 1,
            "lr_factor",
            self.lr_factor,
            "a number in (0, 1]",
        )
        clips = self.clip is None or (_is_number(self.clip) and self.clip > 0)
        _demand(clips, "clip", self.clip, "a positive number or None")
        cuts = self.bptt is None or (_is_integer(self.bptt) and self.bptt > 0)
        _demand(cuts, "bptt", self.bptt, "an integer of at least 1 or None")

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that name this spec (SHA-256 of its canonical JSON)."""
        values = {name: value for name, value in asdict(self).items() if value != _default(name)}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @classmethod
    def from_dict(cls, values: Any) -> "Spec":
        """Read a spec back from JSON; raises `RecordError` for a missing or foreign field."""
        _demand(isinstance(values, dict), "spec", values, "a dictionary")
        names = {spec_field.name for spec_field in fields(cls)}
        if foreign := sorted(values.keys() - names):
            raise RecordError(f"the spec has fields that no spec has: {', '.join(foreign)}")
        needed = {name for name in names if _default(name) is MISSING}
        if missing := sorted(needed - values.keys()):
            raise RecordError(f"the spec lacks {', '.join(missing)}")
        return cls(**values)


@dataclass(frozen=True)
class Record:
    """What one run left behind.

    Args:
        spec: what was run.
        environment: where: commit, versions, device, date (see `environment`).
        data: `label` and `checksum` of the data set.
        curves: one list per quantity with one value per epoch, such as `train_loss` and `test_error` (percent).
        first_losses: the losses of the first `FIRST_STEPS` steps, in full precision.
        images_per_second: training throughput, without evaluation; of a text, tokens.
        seconds: wall-clock time of the whole run.
        peak_memory_mib: the largest memory of the process so far; None where the system does not tell.
    """

    spec: Spec
    environment: dict[str, Any]
    data: dict[str, str]
    curves: dict[str, list[float]]
    first_losses: list[float]
    images_per_second: float
    seconds: float
    peak_memory_mib: float | None

    def result(self) -> str:
        """What the run came to, in words: the last epoch's error or perplexity on the test set."""
        name = next(name for name in TEST_CURVES if name in self.curves)
        return TEST_CURVES[name].format(self.curves[name][-1])

    def save(self, folder: Path) -> Path:
        """Write `<folder>/<experiment>/<hash>.json`, whole or not at all, and return its path."""
        path = path_of(self.spec, folder)
        values = {"hash": self.spec.hash, **_nan_to_null(asdict(self))}
        # A line for each field: short files whose differences can still be read.
        lines = (f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in values.items())
        with whole(path) as file:
            file.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
        return path


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears at its path whole, when the block ends, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def path_of(spec: Spec, folder: Path) -> Path:
    """Where the record of this spec lies in a records folder."""
    return Path(folder) / spec.experiment / f"{spec.hash}.json"


def weights_path(spec: Spec, folder: Path) -> Path:
    """Where the last weights of this spec lie, if it keeps them: safetensors in fp16, small enough to commit."""
    return path_of(spec, folder).with_suffix(".safetensors")


def tolerance(step: int, precision: str = "float32") -> float:
    """How far the loss of a step, counted from 1, may be off when it is repeated in fp32, as a relative error.

    Other processors add floats in another order, and training amplifies what that changes. With the vector units held
    down, ResNet-10 at the paper's rates was off by 3e-7, 3e-4, 3e-3 and 3e-3 at steps 2 to 5, and by 3e-2 at step 18;
    on a GPU by 1e-7, 8e-5, 2e-3 and 3e-3 at steps 1 to 4. A loss that was typed misses the first few by far more.

    A run in 16 bits rounds more to begin with, and its records come from GPUs, which a check need not have. ResNet-18
    in bf16, ten optimizers at the paper's rates, was off by at most 2e-4 at step 1 and 7e-2 at steps 2 and 3, and by up
    to 0.6 later. In fp16 the scaler leaves out steps whose gradients overflow, so there the first loss judges alone.

    Args:
        step: counted from 1.
        precision: of the record, as its environment names it.
    """
    if precision == "float32":
        return min(LARGEST_TOLERANCE, 10.0 ** (step - (6 if step <= 2 else 5)))
    if step == 1:
        return 1e-3
    return 0.2 if precision == "bfloat16" and step <= 3 else math.inf


def default_folder() -> Path:
    """Find `book/records`: in the nearest parent of the working directory, else beside the package.

    Raises:
        RecordError: neither place has one.
    """
    here = Path.cwd()
    for root in (here, *here.parents, CHECKOUT):
        if (root / "book" / "records").is_dir():
            return root / "book" / "records"
    raise RecordError(
        f"no folder book/records in {here} or above it: change into a checkout of the book, or name a folder with --out"
    )


def read(path: Path) -> Record:
    """Read one record file.

    Raises:
        RecordError: the file is missing, is not a record, or its spec is not the one that its hash names.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RecordError(f"{path} cannot be read as a record: {error}") from None
    try:
        return _from_dict(values)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from None


def read_all(experiment: str, folder: Path) -> list[tuple[Path, Record | RecordError]]:
    """Every record file of an experiment, in the order of names, with the error where one is not a record."""
    found: list[tuple[Path, Record | RecordError]] = []
    for path in sorted((Path(folder) / experiment).glob("*.json")):
        try:
            record = read(path)
            if path_of(record.spec, folder) != path:
                raise RecordError(f"{path}: the spec inside has the hash {record.spec.hash}: rename or remove it")
            found.append((path, record))
        except RecordError as error:
            found.append((path, error))
    return found


def load(experiment: str, *, scale: str | None = None, folder: Path | None = None) -> list[Record]:
    """The records of an experiment at one scale, ordered by optimizer and seed.

    Args:
        experiment: its name.
        scale: which scale; it may be left out only where all records are of one scale.
        folder: the records folder; by default the book's.

    Returns:
        The records, none where nobody has run anything yet.

    Raises:
        RecordError: a file is not a record, or scales or data sets would be mixed.
    """
    found = read_all(experiment, default_folder() if folder is None else folder)
    for _, record in found:
        if isinstance(record, RecordError):
            raise record
    chosen = [record for _, record in found if scale in (None, record.spec.scale)]
    return comparable(sorted(chosen, key=lambda record: (record.spec.optimizer, record.spec.seed)))


def of(specs: Iterable[Spec], folder: Path | None = None) -> list[Record]:
    """The records of these specs that there are, in their order.

    Raises:
        RecordError: a file is not a record, or scales or data sets would be mixed.
    """
    home = default_folder() if folder is None else folder
    return comparable(read(path) for spec in specs if (path := path_of(spec, home)).exists())


def comparable(records: Iterable[Record]) -> list[Record]:
    """Return the records if they may stand in one table: one scale, one data set.

    Raises:
        RecordError: they are of several scales or data sets, which are named.
    """
    records = list(records)
    kinds = {
        "scales": {record.spec.scale for record in records},
        "data sets": {f"{record.data['label']} {record.data['checksum'][:12]}" for record in records},
    }
    for what, names in kinds.items():
        if len(names) > 1:
            raise RecordError(f"records of different {what} are not compared: {', '.join(sorted(names))}")
    return records


def faults(
    record: Record, *, known: Mapping[str, Spec], rerun: Callable[[Spec, int], tuple[dict[str, str], list[float]]]
) -> list[str]:
    """What speaks against a record: nothing, if anyone can repeat it.

    Args:
        record: the record to be judged.
        known: the specs of its experiment at all scales, by hash.
        rerun: repeats so many first steps of a spec and returns label and checksum of its data, and the losses
            (`adai.training.first_steps`); called only for a known spec, and for the steps that are judged.

    Returns:
        One sentence for each fault.
    """
    found = untraceable(record.environment)
    if record.spec.scale == "smoke":
        found.append("a smoke run only proves that the code path works; it is no result")
    if record.spec.hash not in known:
        elsewhere = (scale for scale in SCALES if replace(record.spec, scale=scale).hash in known)
        if scale := next(elsewhere, None):
            found.append(f"mixed scale: it is labelled {record.spec.scale}, its settings are those of {scale}")
        else:
            found.append(f"unknown spec: {record.spec.experiment} has no run with these settings")
        return found
    return found + _differences(record, *rerun(record.spec, _judged_steps(_precision(record))))


def untraceable(environment: Mapping[str, Any]) -> list[str]:
    """What keeps others from finding the code that a record was made by: one sentence, or none."""
    commit = environment["commit"]
    if commit is None or environment["dirty"]:
        return ["it was made with uncommitted changes: commit first, then run again"]
    if not _commit_exists(commit):
        return [f"nobody knows its commit {commit[:12]}: fetch it, or run again at a published commit"]
    return []


def environment(*, device: str, threads: int) -> dict[str, Any]:
    """Where a run happens: commit, versions, device and date.

    Returns:
        `commit` is None where the package does not lie in a git checkout; `dirty` tells whether a file of the
        package differs from that commit.
    """
    return {
        **_commit(),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
        "numpy": metadata.version("numpy"),
        "device": device,
        "threads": threads,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The model name of this machine's processor."""
    try:
        names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def peak_memory_mib() -> float | None:
    """The largest memory of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _precision(record: Record) -> str:
    return record.environment.get("precision", "float32")


def _judged_steps(precision: str) -> int:
    return sum(tolerance(step, precision) < math.inf for step in range(1, FIRST_STEPS + 1))


def _differences(record: Record, data: dict[str, str], losses: list[float]) -> list[str]:
    found, precision = [], _precision(record)
    judged = record.first_losses[: _judged_steps(precision)]
    if record.data != data:
        found.append(f"its data are {record.data}, here they are {data}")
    if len(judged) != len(losses):
        found.append(f"it has {len(judged)} first losses, a rerun has {len(losses)}")
    for step, (recorded, repeated) in enumerate(zip(judged, losses, strict=False), start=1):
        both_nan = math.isnan(recorded) and math.isnan(repeated)
        if not both_nan and not math.isclose(recorded, repeated, rel_tol=tolerance(step, precision)):
            found.append(f"its loss at step {step} is {recorded!r}, a rerun gives {repeated!r}")
            break
    return found


# A process asks once: what is committed while a long sweep runs is not the code that the sweep runs.
@functools.cache
def _commit() -> dict[str, Any]:
    commit = _git("rev-parse", "HEAD")
    return {"commit": commit, "dirty": commit is None or _git("status", "--porcelain", "--", "adai") != ""}


def _commit_exists(commit: str) -> bool:
    # A shallow clone (CI, Colab) or no clone at all cannot know older commits: there the losses alone judge.
    if _git("rev-parse", "--is-shallow-repository") != "false":
        return True
    return _git("cat-file", "-e", f"{commit}^{{commit}}") is not None


def _git(*arguments: str) -> str | None:
    # Without this an installed package would report the commit of whatever repository lies around it.
    if not (CHECKOUT / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", CHECKOUT, *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _from_dict(values: Any) -> Record:
    _demand(isinstance(values, dict), "record", type(values).__name__, "a JSON object")
    names = {record_field.name for record_field in fields(Record)} | {"hash"}
    if values.keys() != names:
        wrong = ", ".join(sorted(values.keys() ^ names))
        raise RecordError(f"these fields are missing or foreign: {wrong}")
    spec = Spec.from_dict(values["spec"])
    if values["hash"] != spec.hash:
        raise RecordError(
            f"hash mismatch: it claims {values['hash']!r}, its spec has {spec.hash}: the spec was changed afterwards"
        )
    commit, dirty = (_entry(values, "environment", key) for key in ("commit", "dirty"))
    is_commit = isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}", commit)
    _demand(commit is None or is_commit, "environment.commit", commit, "40 hexadecimal digits or null")
    _demand(isinstance(dirty, bool), "environment.dirty", dirty, "true or false")
    for key in ("label", "checksum"):
        value = _entry(values, "data", key)
        _demand(isinstance(value, str) and value, f"data.{key}", value, "a text")
    _entry(values, "curves", "train_loss")
    measured = " or ".join(map(repr, TEST_CURVES))
    _demand(TEST_CURVES.keys() & values["curves"].keys(), "curves", values["curves"], f"an object with {measured}")
    curves = {name: _losses(f"curves.{name}", curve) for name, curve in values["curves"].items()}
    for name, curve in curves.items():
        _demand(len(curve) == spec.epochs, f"curves.{name}", f"{len(curve)} values", f"{spec.epochs}")
    first_losses = _losses("first_losses", values["first_losses"])
    _demand(
        1 <= len(first_losses) <= FIRST_STEPS,
        "first_losses",
        f"{len(first_losses)} values",
        f"1 to {FIRST_STEPS}",
    )
    for name in ("images_per_second", "seconds"):
        _demand(_is_number(values[name]) and values[name] > 0, name, values[name], "a positive number")
    memory = values["peak_memory_mib"]
    _demand(memory is None or _is_number(memory), "peak_memory_mib", memory, "a number or null")
    del values["hash"]
    return Record(**values | {"spec": spec, "curves": curves, "first_losses": first_losses})


def _entry(values: dict, name: str, key: str) -> Any:
    entries = values[name]
    _demand(isinstance(entries, dict) and key in entries, name, entries, f"an object with {key!r}")
    return entries[key]


def _losses(name: str, values: Any) -> list[float]:
    valid = isinstance(values, list) and all(value is None or _is_number(value) for value in values)
    _demand(valid, name, values, "a list of numbers")
    return [math.nan if value is None else value for value in values]


def _nan_to_null(value: Any) -> Any:
    # A run that diverged is a result too, and JSON has no NaN.
    if isinstance(value, dict):
        return {key: _nan_to_null(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_nan_to_null(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _canonical(name: str, value: Any) -> Any:
    # One spec, one spelling: lr=1 and lr=1.0, a list and a tuple, are the same run.
    if isinstance(value, dict):
        return {str(key): _canonical(f"{name}[{key!r}]", entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_canonical(name, entry) for entry in value)
    valid = value is None or isinstance(value, bool | int | str) or _is_number(value)
    _demand(valid, name, value, "finite numbers, texts, true, false, lists and dictionaries of these")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _default(name: str) -> Any:
    spec_field = Spec.__dataclass_fields__[name]
    return {} if spec_field.default_factory is dict else spec_field.default


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _demand(condition: Any, name: str, value: Any, expected: str) -> None:
    if not condition:
        raise RecordError(f"{name} is {value!r}, expected {expected}")
