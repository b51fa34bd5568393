"""What a measurement was made on: machine, versions, linear algebra, load."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np

PACKAGES = ("alc_stats", "numpy", "scipy", "pandas", "formulaic", "statsmodels")
SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
R_FACTS = """
suppressMessages(library(lme4))
cat(jsonlite::toJSON(list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
  BLAS = basename(extSoftVersion()[["BLAS"]])), auto_unbox = TRUE))
"""


def facts() -> dict[str, Any]:
    """Everything about machine and software that a reader needs to repeat a measurement."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load_at_start": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in PACKAGES},
        "numpy_blas": numpy_blas(),
        "r": r_facts(),
        "environment": {name: os.environ.get(name, "not set") for name in SETTINGS},
    }


def processor() -> str:
    """The processor's name and base clock, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def numpy_blas() -> str:
    """The linear algebra library NumPy was built with."""
    found: Any = np.show_config(mode="dicts")
    blas = found["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def has_r() -> bool:
    """Whether Rscript with lme4 is there."""
    return bool(r_facts())


def r_facts() -> dict[str, str]:
    """Versions of R and lme4 and R's linear algebra library; empty without them."""
    if which("Rscript") is None:
        return {}
    done = subprocess.run(["Rscript", "-e", R_FACTS], capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def lines(found: dict[str, Any]) -> list[str]:
    """The facts as a Markdown list."""
    packages = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    r = found["r"]
    settings = ", ".join(f"{name} {value}" for name, value in found["environment"].items())
    return [
        f"- date: {found['date']}",
        f"- machine: {found['processor']}, {found['cores']} cores, {found['memory_gb']} GB",
        f"- load average at the start: {found['load_at_start']}",
        f"- Python side: {found['system']}; {packages}; BLAS of NumPy: {found['numpy_blas']}",
        f"- R side: {r['R']}, lme4 {r['lme4']}, BLAS of R: {r['BLAS']}" if r else "- R: not found",
        f"- environment: {settings}",
    ]
