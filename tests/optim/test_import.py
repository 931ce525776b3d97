"""What the package offers, and what importing it loads, each case in a fresh interpreter."""

import importlib.metadata
import subprocess
import sys

import pytest

import adai

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


def test_the_package_lists_what_it_offers():
    assert set(adai.__all__) <= set(dir(adai))
    assert adai.__version__ == importlib.metadata.version("adai")
    with pytest.raises(AttributeError, match=r"no attribute 'Adam'.*Adai"):
        _ = adai.Adam
