"""What importing the package loads, each case in a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = ["sympy", "matplotlib", "sklearn", "scipy", "pandas"]

TRAINING_STEP = """
import torch
from adai import Adai
model = torch.nn.Linear(3, 2)
optimizer = Adai(model.parameters())
optimizer.zero_grad()
torch.nn.functional.cross_entropy(model(torch.ones(4, 3)), torch.zeros(4, dtype=torch.long)).backward()
optimizer.step()
"""


def loaded_by(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("code", ["import adai", "from adai import __version__"])
def test_import_adai_alone_loads_nothing(code):
    assert not loaded_by(code) & {"torch", "numpy", *HEAVY}


def test_a_training_step_loads_torch_and_no_other_heavy_package():
    loaded = loaded_by(TRAINING_STEP)
    assert "torch" in loaded
    assert not loaded & set(HEAVY)


def test_optimizers_need_nothing_else_of_ours():
    ours = {name for name in loaded_by(TRAINING_STEP) if name.partition(".")[0] == "adai"}
    assert {name for name in ours if not name.startswith("adai.optim")} == {"adai"}
