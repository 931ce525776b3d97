"""Many runs on a Ray cluster: the machines train, this one files the records."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import adai
from adai.records import Record, RecordError, Spec, atomic_write, weights_path
from adai.running.sweep import train_and_save

_Work = Callable[[Spec, Path, str], Record]


def sweep(
    specs: Mapping[str, Spec], folder: Path, device: str, *, work: _Work = train_and_save
) -> Iterator[tuple[str, Record | BaseException]]:
    """Train runs on a Ray cluster, file their records here, and yield each name as its run ends, with record or error.

    The cluster is the one that ``RAY_ADDRESS`` names, else one that Ray starts on this machine. A run that raises, or
    that takes its process down, ends only itself. A run that is stopped begins anew the next time, since its checkpoint
    stays on the machine that trained it.

    Args:
        specs: runs by name.
        folder: the records folder, on this machine.
        device: ``"cpu"`` (a core for each run) or ``"cuda"`` (a GPU for each run).
        work: called in a process of the cluster with a run; returns its record.

    Raises:
        RecordError: Ray is not installed.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise RecordError("Ray is not installed: this package's extra 'ray' brings it; or leave out --ray") from None
    # The data set must be on each machine, in the same folder.
    carried = {"ADAI_DATA": os.environ["ADAI_DATA"]} if "ADAI_DATA" in os.environ else {}
    ray.init(runtime_env={"py_modules": [adai], "env_vars": carried | {"OMP_NUM_THREADS": "1"}}, log_to_driver=False)
    try:
        gpus = 1 if device == "cuda" else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_run)
        running = {remote.remote(spec, device, work): name for name, spec in specs.items()}
        while running:
            (done,), _ = ray.wait(list(running))
            name = running.pop(done)
            try:
                record, weights = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                yield name, error.cause or error
            except ray.exceptions.RayError as error:
                yield name, error
            else:
                if weights is not None:
                    with atomic_write(weights_path(specs[name], folder)) as file:
                        file.write(weights)
                record.save(folder)
                yield name, record
    finally:
        ray.shutdown()


def _run(spec: Spec, device: str, work: _Work) -> tuple[Record, bytes | None]:
    """Return a run's record, and its last weights as bytes if it keeps them; called on a machine of the cluster."""
    with TemporaryDirectory() as folder:
        record = work(spec, Path(folder), device)
        path = weights_path(spec, Path(folder))
        return record, path.read_bytes() if path.exists() else None
