"""Many runs side by side, one process a core; and stage by stage, where some choose what others need."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.context import BaseContext
from pathlib import Path

from adai.records import Record, Spec, path_of, weights_path

Runs = Callable[[], Mapping[str, Spec]]


def train_and_save(
    spec: Spec, folder: Path, device: str = "cpu", *, compiled: bool = False, progress: bool = False
) -> Record:
    """Train one run, or go on with it where it was stopped, and file its record at once.

    Args:
        spec, device, compiled, progress: as `adai.training.train`.
        folder: the records folder.
    """
    from adai.training import train

    # Checkpoints are hidden files, so globs and git skip them.
    checkpoint = path_of(spec, folder).with_name(f".{spec.hash}.checkpoint")
    weights = weights_path(spec, folder)
    record = train(spec, device, compiled=compiled, progress=progress, checkpoint=checkpoint, weights=weights)
    if int(os.environ.get("RANK", 0)) == 0:
        record.save(folder)
    return record


def stages(runs: Runs, folder: Path) -> Iterator[dict[str, Spec]]:
    """Yield what is missing, and again whenever the records of one stage have chosen the runs of the next.

    A run that failed is not begun again.

    Args:
        runs: returns the runs by name, as the records of the moment have it.
        folder: the records folder.
    """
    begun: set[str] = set()
    while missing := {n: s for n, s in runs().items() if n not in begun and not path_of(s, folder).exists()}:
        begun |= missing.keys()
        yield missing


def sweep(
    specs: Mapping[str, Spec],
    folder: Path,
    devices: Sequence[str],
    *,
    work: Callable[[Spec, Path, str], Record] = train_and_save,
) -> Iterator[tuple[str, Record | BaseException]]:
    """Train runs side by side, and yield each name as its run ends, with the record or the error.

    A run that raises, or that takes its whole process down, ends only itself. When the caller stops, by an exception or
    by closing the iterator, the running ones save themselves first.

    Args:
        specs: runs by name.
        folder: the records folder.
        devices: one for each process; each trains with one thread.
        work: what a process does with a run.
    """
    waiting = list(specs.items())
    # A pool of one process for each job: a killed process breaks its whole pool, so it may hold one run only.
    idle = [(_process(), device) for device in devices[: len(waiting)]]
    running: dict[Future, tuple[str, ProcessPoolExecutor, str]] = {}
    try:
        while waiting or running:
            while waiting and idle:
                process, device = idle.pop()
                name, spec = waiting.pop(0)
                running[process.submit(work, spec, folder, device)] = name, process, device
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name, process, device = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    process.shutdown()
                    process = _process()
                idle.append((process, device))
                yield name, error or future.result()
    finally:
        for _, process, _ in running.values():
            for worker in process._processes.values():
                worker.terminate()  # a run takes this as the signal to save itself
        for process in (*(process for process, _ in idle), *(process for _, process, _ in running.values())):
            process.shutdown(cancel_futures=True)


def with_torch() -> BaseContext:
    """Return how to start processes that have torch at once: as forks of a server that has imported it, and only that.

    Not as forks of the caller: a fork of a process whose torch has threads can hang. On macOS, where the system's own
    libraries have threads, each process imports torch anew.
    """
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    context.set_forkserver_preload(["adai.running.server"])
    return context


def _process() -> ProcessPoolExecutor:
    # The server keeps the environment of its own start, which may be of another sweep.
    return ProcessPoolExecutor(max_workers=1, mp_context=with_torch(), initializer=_enter, initargs=(dict(os.environ),))


def _enter(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
