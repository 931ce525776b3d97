"""Preload for the fork server of a sweep: import torch, and ignore SIGTERM.

A sweep is often stopped by a signal to all of its processes. The server must outlive the runs, which save
themselves: if it ends first, the sweep takes them for dead.
"""

import os
import signal

import adai.training  # noqa: F401

signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
