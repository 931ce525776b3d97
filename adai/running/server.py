"""The only module that the server imports whose forks are a sweep's processes: it loads torch and ignores SIGTERM.

A sweep is often stopped by a signal to all of its processes. The server must outlive the runs that save themselves:
when it ends, the sweep takes them for dead.
"""

import os
import signal

import adai.training  # noqa: F401

signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
