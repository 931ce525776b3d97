"""One experiment's runs in one sitting, from a notebook: estimated first, resumed if cut off, and zipped to be sent."""

import os
import sys
import time
import zipfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from adai import records
from adai.experiments import registry
from adai.experiments.base import Inputs
from adai.records import RecordError, Spec
from adai.running.sweep import stages, train_and_save

STEPS = 20
"""Number of steps that are timed for an estimate, after as many to warm up."""


def sit(experiment: str, folder: str | Path = "runs", *, drive: bool = False) -> Path | None:
    """Train the runs of an experiment that have no record, at the scale that ``ADAI_SCALE`` names, and zip the records.

    Without ``ADAI_SCALE`` nothing is trained. The time is estimated before each stage. A sitting that was cut off goes
    on where it stopped if its folder is still there, as it is on Colab in the reader's Drive. On Colab the archive is
    downloaded. CONTRIBUTING says how to send it.

    Args:
        experiment: its name, such as ``"table1"``.
        folder: for the records and the checkpoints of unfinished runs.
        drive: on Colab, keep that folder in the reader's Drive; Colab asks the reader's permission.

    Returns:
        The path of the archive; None without ``ADAI_SCALE``.

    Raises:
        RecordError: the experiment has no runs at this scale, or its data set is not there.
    """
    scale = os.environ.get("ADAI_SCALE")
    if scale is None:
        print(
            f"Nothing is trained. To train {experiment} here: os.environ['ADAI_SCALE'] = 'colab', then this cell again."
        )
        return None
    home = _in_drive(folder) if drive else Path(folder)
    given = Inputs.at(home)
    for missing in stages(lambda: registry.specs(experiment, scale, given), home):
        _train(missing, home)
    specs = registry.specs(experiment, scale, given)
    archive = home / f"{experiment}-{scale}.zip"
    with records.atomic_write(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in (records.path_of(spec, home) for spec in specs.values()):
            zipped.write(path, path.relative_to(home))
    print(registry.find_trained(experiment).table(records.existing_records(specs.values(), home)))
    if "google.colab" in sys.modules:
        from google.colab import files

        files.download(str(archive))
    return archive


def _train(missing: Mapping[str, Spec], home: Path) -> None:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"{len(missing)} runs on {torch.cuda.get_device_name() if device == 'cuda' else records.processor()}.")
    print(f"This will take about {_estimate(missing, device) / 60:.0f} minutes.", flush=True)
    for count, (name, spec) in enumerate(missing.items(), 1):
        record = train_and_save(spec, home, device, progress=True)
        print(f"[{count}/{len(missing)}] {name}  {record.result()}", flush=True)


def _estimate(missing: Mapping[str, Spec], device: str) -> float:
    """Return the seconds that all of these runs will take, from a few steps of the first."""
    from adai.training import make_run

    run = make_run(next(iter(missing.values())), device)
    steps = (loss for epoch in iter(run.epoch, None) for loss in epoch)
    list(islice(steps, STEPS))
    started = time.perf_counter()
    list(islice(steps, STEPS))
    a_step = (time.perf_counter() - started) / STEPS
    return a_step * len(run.batches()) * sum(spec.epochs for spec in missing.values())


def _in_drive(folder: str | Path) -> Path:
    try:
        from google.colab import drive
    except ModuleNotFoundError:
        raise RecordError(f"drive=True works on Colab; here, {folder} stays as it is without it") from None
    drive.mount("/content/drive")
    return Path("/content/drive/MyDrive") / folder
