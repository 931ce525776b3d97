"""Records with made-up curves, for tests of tables and figures."""

from adai.records import Record, Spec


def record(spec: Spec, *, label: str = "CIFAR-10 (JPEG copy)", **curves: list[float]) -> Record:
    """Return a record of a spec that has these curves and nothing else that counts."""
    return Record(
        spec=spec,
        environment={"commit": None, "dirty": False},
        data={"label": label, "checksum": "0" * 64},
        curves=curves,
        first_losses=[2.3],
        examples_per_second=1.0,
        seconds=1.0,
        peak_memory_mib=None,
    )
