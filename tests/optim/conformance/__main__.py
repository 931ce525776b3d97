"""Write the table of the API page, anew for the optimizers that are named, or for all."""

import sys

import torch

from tests.optim.conformance.table import TABLE, table

torch.set_num_threads(1)
TABLE.write_text(table(sys.argv[1:]) if sys.argv[1:] else table(), encoding="utf-8")
print(TABLE.read_text(encoding="utf-8"))
