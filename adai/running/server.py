"""What the server imports that a sweep's processes are forks of, and nothing else: torch, and no heed to SIGTERM.

Who stops a sweep often signals all of its processes. The server stays until they have saved themselves, since without
it the sweep would take them for dead.
"""

import os
import signal

import adai.training  # noqa: F401

signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
