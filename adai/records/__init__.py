"""What a run or a measurement is, what it leaves behind, and how a record is judged.

A `Spec` or `Measurement` says everything that decides a result. A `Record` or `Result` is what came out: one JSON file,
`book/records/<experiment>/<hash>.json`, which is written atomically. Only the standard library is needed here, so
chapters read records without loading torch.
"""

from adai.records.files import atomic_write, default_folder, home, path_of, weights_path
from adai.records.judge import faults, loss_differences, tolerance
from adai.records.machine import environment, peak_memory_mib, processor
from adai.records.measurement import Measurement, Result, measure
from adai.records.reading import comparable, existing_records, existing_results, load, read, read_all, read_record
from adai.records.record import FIRST_STEPS, TEST_CURVES, Record
from adai.records.spec import SCALES, Spec
from adai.records.values import RecordError

__all__ = [
    "FIRST_STEPS",
    "SCALES",
    "TEST_CURVES",
    "Measurement",
    "Record",
    "RecordError",
    "Result",
    "Spec",
    "atomic_write",
    "comparable",
    "default_folder",
    "environment",
    "existing_records",
    "existing_results",
    "faults",
    "home",
    "load",
    "loss_differences",
    "measure",
    "path_of",
    "peak_memory_mib",
    "processor",
    "read",
    "read_all",
    "read_record",
    "tolerance",
    "weights_path",
]
