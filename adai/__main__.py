"""The command line: `adai run | sweep | records | data | ledger`."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from adai import records
from adai.experiments.base import Inputs, Measured
from adai.records import Measurement, Record, RecordError, Result, Spec

CLEAR = "\x1b[2J\x1b[H"
"""Empties a terminal."""
EXTRAS = {
    "theory": ("numba", "numpy", "scipy", "sympy"),
    "experiments": ("PIL", "safetensors", "sklearn", "tqdm"),
    "ray": ("ray",),
    "book": ("IPython", "matplotlib", "yaml"),
}
"""The modules that each extra of the package brings by itself."""


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 if all went well, 1 if something failed or is bad, 2 after an error.

    Args:
        argv: the arguments; by default those of the process.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
        return status
    except (RecordError, OSError) as error:
        message = str(error)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "adai":
            raise
        message = _not_installed(error.name or "a module")
    except KeyboardInterrupt:
        message = "stopped; each finished run has its record, and the same command goes on with the others"
    print(f"adai: error: {message}", file=sys.stderr)
    return 2


def _not_installed(module: str) -> str:
    """Return what to say of a module that is missing."""
    top = module.split(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if top in modules), None)
    return f"{top} is not installed" + (f"; this package's extra {extra!r} brings it" if extra else "")


def run(arguments: argparse.Namespace) -> int:
    """Train a run or take a measurement that has no record; under torchrun, all of its processes train it together."""
    from adai.experiments import registry
    from adai.running.sweep import train_and_save
    from adai.training.processes import process_group

    experiment = arguments.run.split("/")[0]
    if isinstance(registry.find(experiment), Measured):
        return _measure(arguments, experiment)
    with _output(arguments) as folder, process_group(_device(arguments)) as (device, rank):
        runs = registry.specs(experiment, arguments.scale, Inputs.at(folder))
        spec = registry.find_run(runs, arguments.run, arguments.scale)
        path = records.path_of(spec, folder)
        if path.exists():
            print(f"{arguments.run} has a record: {path}")
            return 0
        record = train_and_save(spec, folder, device, compiled=arguments.compile, progress=True)
        if rank > 0:
            return 0
        print(_line(arguments.run, record))
        print(f"record: {path}" if arguments.keep else "a smoke run is not recorded, except with --out DIR")
    return 0


def _measure(arguments: argparse.Namespace, name: str) -> int:
    """Take one measurement, or all of an experiment, unless recorded, and return the exit code."""
    from adai.experiments import registry

    experiment = registry.find_measured(name)
    with _output(arguments) as folder:
        specs = registry.measurements(name, arguments.scale, Inputs.at(folder))
        if "/" in arguments.run:
            specs = {arguments.run: registry.find_run(specs, arguments.run, arguments.scale)}
        for run, spec in specs.items():
            path = records.path_of(spec, folder)
            if path.exists():
                print(f"{run} has a record: {path}")
                continue
            result = records.measure(spec, lambda spec: experiment.measure(spec, folder), threads=_cores())
            result.save(folder)
            print(experiment.summary(result), flush=True)
    return 0


def sweep(arguments: argparse.Namespace) -> int:
    """Train all runs of an experiment that have no record, side by side, and print the table."""
    from adai.experiments import registry
    from adai.running.sweep import stages
    from adai.training.processes import interrupted_by_sigterm

    experiment = registry.find_trained(arguments.experiment)
    failed: list[str] = []
    with _output(arguments) as folder, interrupted_by_sigterm():

        def runs() -> dict[str, Spec]:
            return registry.specs(experiment.name, arguments.scale, Inputs.at(folder))

        def table() -> str:
            return str(experiment.table(records.existing_records(runs().values(), folder)))

        made = [name for name, spec in runs().items() if records.path_of(spec, folder).exists()]
        if made:
            print(f"{len(made)} of {len(runs())} runs have a record")
        begun = 0
        for missing in stages(runs, folder):
            begun += len(missing)
            failed += _train_all(missing, folder, arguments, table)
        if not sys.stdout.isatty() or not begun:
            print(table())
    if failed:
        print(f"adai: {len(failed)} of {begun} runs failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _train_all(
    missing: dict[str, Spec], folder: Path, arguments: argparse.Namespace, table: Callable[[], str]
) -> list[str]:
    """Train the runs of one stage, print a line as each ends, and return the names of those that failed."""
    from adai.running import cluster
    from adai.running.sweep import sweep

    failed = []
    if arguments.ray:
        results = cluster.sweep(missing, folder, _device(arguments))
    else:
        results = sweep(missing, folder, _devices(arguments))
    for done, (name, result) in enumerate(results, start=1):
        if isinstance(result, BaseException):
            failed.append(name)
            line = f"{name}  failed: {type(result).__name__}: {result}"
        else:
            line = _line(name, result)
        if sys.stdout.isatty():  # a live table: it takes the place of the one before
            print(CLEAR, table(), sep="")
        print(f"[{done:{len(str(len(missing)))}}/{len(missing)}] {line}", flush=True)
    return failed


def check(arguments: argparse.Namespace) -> int:
    """Repeat the first steps of every record, and report each record that does not agree."""
    from adai.experiments import registry

    folder = records.default_folder()
    given = arguments.experiment and registry.find(arguments.experiment).name
    names = [given] if given else sorted(path.name for path in folder.iterdir() if path.is_dir())
    good = bad = unchecked = 0
    for name in names:
        known = registry.known_specs(name, Inputs.at(folder))
        for path, record in records.read_all(name, folder):
            try:
                found = [str(record)] if isinstance(record, RecordError) else _faults(record, known, folder)
            except RecordError as error:  # the data set is not here
                print(f"{path.relative_to(folder)}: not checked: {error}")
                unchecked += 1
                continue
            for fault in found:
                print(f"{path.relative_to(folder)}: {fault}")
            good, bad = (good, bad + 1) if found else (good + 1, bad)
    print(f"{good + bad} records checked, {bad} bad" + (f", {unchecked} not checked" if unchecked else ""))
    return 1 if bad else 0


def data(arguments: argparse.Namespace) -> int:
    """Put a data set into the folder that ADAI_DATA names: download it, or decode ImageNet's files, which lie there."""
    from adai.data import prepare

    print(f"{arguments.set} is in {prepare(arguments.set)}")
    return 0


def add(arguments: argparse.Namespace) -> int:
    """Check a record that was made elsewhere, and file it if it is good."""
    from adai.experiments import registry

    folder = records.default_folder()
    record = records.read(arguments.file)
    path = records.path_of(record.spec, folder)
    if path.exists():
        raise RecordError(f"this run has a record already: {path}")
    if found := _faults(record, registry.known_specs(record.spec.experiment, Inputs.at(folder)), folder):
        for fault in found:
            print(f"{arguments.file}: {fault}")
        return 1
    with records.atomic_write(path) as file:  # as it was sent, byte for byte
        file.write(arguments.file.read_bytes())
    print(f"filed as {path}")
    return 0


def ledger(arguments: argparse.Namespace) -> int:
    """Print the verdict on each numbered item of the paper."""
    from adai.book import ledger

    return ledger.main(arguments.json, arguments.part)


def _parser() -> argparse.ArgumentParser:
    """Return the parser; it lists no experiments and no data sets, which would have every command load torch."""
    parser = argparse.ArgumentParser(prog="adai", description="Runs, records and checks of the Adaptive Inertia book.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    training = argparse.ArgumentParser(add_help=False)
    training.add_argument("--scale", choices=records.SCALES, default="laptop", help="default: laptop")
    training.add_argument("--out", type=Path, metavar="DIR", help="folder of the records (default: book/records)")
    training.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: cpu; for colab and paper cuda if there is"
    )
    training.add_argument("--compile", action="store_true", help="compile the model (torch.compile)")

    command = commands.add_parser("run", parents=[training], help=run.__doc__, description=run.__doc__)
    command.add_argument(
        "run", help="name of a run, such as digits/adai/0, or of an experiment that trains nothing, such as escape"
    )
    command.set_defaults(command=run)

    command = commands.add_parser("sweep", parents=[training], help=sweep.__doc__, description=sweep.__doc__)
    command.add_argument("experiment", help="name of the experiment, such as table1; an unknown name lists all")
    command.add_argument("--jobs", type=_jobs, help="runs side by side (default: one per core, or per GPU)")
    command.add_argument("--ray", action="store_true", help="train on the Ray cluster that RAY_ADDRESS names")
    command.set_defaults(command=sweep)

    command = commands.add_parser("records", help="Check records, or add one.")
    actions = command.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("check", help=check.__doc__, description=check.__doc__)
    action.add_argument("experiment", nargs="?", help="check the records of this experiment only")
    action.set_defaults(command=check)
    action = actions.add_parser("add", help=add.__doc__, description=add.__doc__)
    action.add_argument("file", type=Path)
    action.set_defaults(command=add)

    command = commands.add_parser("data", help=data.__doc__, description=data.__doc__)
    command.add_argument("set", help="name of the data set, such as cifar10; an unknown name lists all")
    command.set_defaults(command=data)

    command = commands.add_parser("ledger", help=ledger.__doc__, description=ledger.__doc__)
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.add_argument("--part", choices=("theory", "experiments"), help="print this part only")
    command.set_defaults(command=ledger)
    return parser


@contextmanager
def _output(arguments: argparse.Namespace) -> Iterator[Path]:
    """Yield the folder for the records: --out, else for smoke runs a temporary folder, else the book's."""
    arguments.keep = arguments.out is not None or arguments.scale != "smoke"
    if arguments.keep:
        yield arguments.out or records.default_folder()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def _device(arguments: argparse.Namespace) -> str:
    """Return where to train: as asked, else at the scales colab and paper on a GPU if there is one."""
    import torch

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise RecordError("--device cuda, but PyTorch sees no GPU here")
    large = arguments.scale in ("colab", "paper")
    return arguments.device or ("cuda" if large and torch.cuda.is_available() else "cpu")


def _devices(arguments: argparse.Namespace) -> list[str]:
    """Return the device of each process of a sweep."""
    import torch

    if _device(arguments) == "cpu":
        return ["cpu"] * (arguments.jobs or _cores())
    gpus = torch.cuda.device_count()
    return [f"cuda:{job % gpus}" for job in range(arguments.jobs or gpus)]


def _faults(record: Record | Result, known: Mapping[str, Spec | Measurement], folder: Path) -> list[str]:
    """Return everything that is wrong with a record, a part of which is repeated."""
    if isinstance(record, Result):
        from adai.experiments import registry

        experiment = registry.find_measured(record.spec.experiment)
        return records.faults(record, known=known, repeat=lambda result: experiment.repeat(result, folder))
    from adai.training import first_steps

    return records.faults(record, known=known, repeat=partial(records.loss_differences, rerun=first_steps))


def _line(name: str, record: Record) -> str:
    return f"{name}  {record.result()}  {record.seconds:.1f} s"


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes, expected 1 or more")
    return int(text)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
