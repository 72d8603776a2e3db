"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.crew import processors
from codegen.build import find_compiler, native_flags
from derive.version import VERSION


def facts() -> dict[str, Any]:
    """Return the machine: processor, system, compiler and its flags."""
    compiler = find_compiler()
    return {
        "processor": processor_name(), "processors": len(processors()), "pinned_to": processors()[-1],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "compiler": compiler.version.splitlines()[0], "flags": list(native_flags(compiler)),
        "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
    }  # fmt: skip


def own_versions() -> dict[str, str]:
    """Return the versions of what is ours and of what it stands on."""
    return {"derive": VERSION, "python": platform.python_version(), "numpy": np.__version__}


def processor_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
