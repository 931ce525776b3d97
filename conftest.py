"""Hooks that end a run of the tests in which a worker dies: pytest-xdist alone may wait for ever.

A worker dies of a crash, or of a test or cell that takes longer than `faulthandler_timeout` in pyproject.toml: pytest
then shows where each thread stood and ends the process, which stops any test, also one that hangs outside of Python.
"""

import threading

import pytest

_GRACE = 5
"""Seconds in which the other workers may finish their tests."""
_died = threading.Event()
_stopped = threading.Event()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start no worker in place of one that died: it would die of the same test."""
    if hasattr(config.option, "maxworkerrestart"):
        config.option.maxworkerrestart = "0"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Stop all workers soon after one has died; each would first run all of the files that it was given."""

    def stop() -> None:
        _stopped.set()
        node.nodemanager.group.terminate(timeout=1)

    if error and not _died.is_set():
        _died.set()
        timer = threading.Timer(_GRACE, stop)
        timer.daemon = True
        timer.start()


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport) -> None:
    """Report the tests at which the other workers were stopped as skipped, and only the culprit as failed."""
    if _stopped.is_set():
        report.outcome = "skipped"
        report.longrepr = (crashitem.partition("::")[0], 0, "stopped, since another worker had died")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which a worker died, also where it died after its last test or before its first."""
    if _died.is_set():
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
