"""The site's extension needs none of the packages that only running the book needs."""

import subprocess
import sys

from publishing import ROOT


def test_rendering_needs_neither_torch_nor_sympy_nor_numpy_nor_matplotlib() -> None:
    program = "import sys, publishing.site; print(*{'torch', 'sympy', 'numpy', 'matplotlib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
