"""Write the table of the API page."""

import torch

from tests.optim.conformance.table import TABLE, table

torch.set_num_threads(1)
TABLE.write_text(table(), encoding="utf-8")
print(TABLE.read_text(encoding="utf-8"))
