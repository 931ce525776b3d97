"""The process around a run: the signal to stop it, and its torchrun peers."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


@contextmanager
def process_group(device: str) -> Iterator[tuple[str, int]]:
    """Join the process group of torchrun, if it started this process, and leave it at the end.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Yields:
        The device of this process (of GPUs its own one), and its rank, 0 without torchrun.
    """
    if "RANK" not in os.environ:
        yield device, 0
        return
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("gloo" if device == "cpu" else "nccl")
    try:
        yield device, dist.get_rank()
    finally:
        # Torch before 2.8 keeps the GIL while it waits for the group's threads; a moment lets those end that need it.
        time.sleep(0.1)
        dist.destroy_process_group()


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Turn SIGTERM into an event, and yield it; `all_stop` asks for it after each step."""
    stop = threading.Event()
    with _on_sigterm(stop.set):
        yield stop


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C raises."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with _on_sigterm(interrupt):
        yield


@contextmanager
def _on_sigterm(act: Callable[[], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread handle signals.
        return
    before = signal.signal(signal.SIGTERM, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def all_stop(stop: threading.Event, device: torch.device) -> bool:
    """Return whether any process of the group was asked to stop: the signal may reach them at different steps.

    Args:
        stop: this process's event, from `stop_signal`.
        device: where processes exchange tensors.
    """
    if not dist.is_initialized():
        return stop.is_set()
    asked = torch.tensor(float(stop.is_set()), device=device)
    dist.all_reduce(asked)
    return bool(asked)
