"""One table's runs in one sitting, from a notebook: an estimate first, kept where they survive, ready to send."""

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
"""Steps that an estimate is made from, after as many to get going."""


def sit(experiment: str, folder: str | Path = "runs", *, drive: bool = False) -> Path | None:
    """Train what an experiment still lacks at the scale that ``ADAI_SCALE`` names; without it, only say what that is.

    The time is estimated before anything is trained. A sitting that was cut off goes on where it stopped, if its folder
    is still there; on Colab it is, if it lies in the reader's Drive. The records are zipped at the end, and on Colab
    downloaded, to be sent as CONTRIBUTING tells.

    Args:
        experiment: its name, such as ``"table1"``.
        folder: where the records and the unfinished runs are kept.
        drive: on Colab, keep that folder in the reader's Drive, which asks for leave.

    Returns:
        The zipped records; None where nothing was asked for.

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
            if path.exists():
                zipped.write(path, path.relative_to(home))
    print(registry.trained(experiment).table(records.existing_records(specs.values(), home)))
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
    """Seconds for all of these runs, from a few steps of the first."""
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
