"""Repeat chapters as other processors would run them, and compare every stored output.

    python tests/processors.py [CHAPTER.ipynb ...]

Without names: all chapters. Only a processor of the x86 family can act as an older one; any other runs the chapters
as itself.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from adai.book import ledger
from publishing import ROOT

JOBS = os.environ.get("JOBS", "2")
ASK = """
import json, numpy, threadpoolctl, torch
from numpy._core._multiarray_umath import __cpu_features__ as numpy_has
import scipy.linalg
print(json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "NumPy": next((unit for unit in ("X86_V4", "X86_V3") if numpy_has.get(unit)), "X86_V2"),
    "OpenBLAS": sorted({d["architecture"] for d in threadpoolctl.threadpool_info() if d["internal_api"] == "openblas"}),
}))
"""
NEWER = "X86_V4 AVX512_ICL AVX512_SPR"
"""Groups of units beyond AVX2, as NumPy 2.4 names them."""
PROCESSORS = {
    "no vector units": (
        {
            "ATEN_CPU_CAPABILITY": "default",
            "ONEDNN_MAX_CPU_ISA": "SSE41",
            "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
            "MKL_CBWR": "COMPATIBLE",
            "NPY_DISABLE_CPU_FEATURES": f"X86_V3 {NEWER}",
            "OPENBLAS_CORETYPE": "Nehalem",
            "NUMBA_CPU_NAME": "x86-64",
            "NUMBA_CPU_FEATURES": "",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-AVX512F",  # exp, log, sin of the C library
        },
        {"torch": "DEFAULT", "NumPy": "X86_V2", "OpenBLAS": ["Nehalem"]},
    ),
    "AVX2 at most": (
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "NPY_DISABLE_CPU_FEATURES": NEWER,
            "OPENBLAS_CORETYPE": "Haswell",
            "NUMBA_CPU_NAME": "haswell",
            "NUMBA_CPU_FEATURES": "",
            "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F",
        },
        {"torch": "AVX2", "NumPy": "X86_V3", "OpenBLAS": ["Haswell"]},
    ),
    "as it is": ({}, {}),
}
"""For each processor the settings that make libraries ignore newer vector units, and what the libraries then report."""


def repeat(name: str, chapters: list[Path]) -> bool:
    """Run the chapters as one processor would, and return whether outputs are as stored and libraries obeyed."""
    settings, expected = PROCESSORS[name]
    environment = os.environ | settings | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    asked = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(asked.stdout)
    print(f"── {name}: " + ", ".join(f"{library} {units}" for library, units in found.items()), flush=True)
    if wrong := {library: units for library, units in expected.items() if found[library] != units}:
        print(f"these libraries ignore their settings; expected {wrong}", file=sys.stderr)
        return False
    command = [sys.executable, "-m", "pytest", "-n", JOBS, "--dist", "loadfile", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-current-env", "--nbval-kernel-startup-timeout", "90", *map(str, chapters)]
    # torch.compile would reuse code that it cached for another processor.
    with tempfile.TemporaryDirectory() as cache:
        environment["TORCHINDUCTOR_CACHE_DIR"] = cache
        return subprocess.run(command, cwd=ROOT, env=environment).returncode == 0


def main() -> int:
    """Return 0 if every chapter holds on every processor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chapters", nargs="*", type=Path)
    chapters = [chapter.resolve() for chapter in parser.parse_args().chapters] or ledger.notebooks(ROOT)
    names = PROCESSORS if platform.machine() in ("x86_64", "AMD64") else ["as it is"]
    return int(not all([repeat(name, chapters) for name in names]))


if __name__ == "__main__":
    sys.exit(main())
