"""From source to callable: the only file that runs text as code or starts a compiler. Results are kept by their hash.

A compiled file is found again by everything that went into it: source, flags, compiler and processor.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

from codegen.errors import CompileFailedError, CompilerMissingError
from codegen.plan.machine import NARROW, Machine, machine_of
from codegen.plan.machine import PORTABLE as PORTABLE_MACHINE

PORTABLE = ("-std=c99", "-O3", "-fno-math-errno", "-fno-trapping-math")
"""Flags for any machine. Never -ffast-math: linked into a library it switches the whole process to flush-to-zero."""

LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C compiler: how it is started, and what it says of itself."""

    command: tuple[str, ...]
    version: str


def run_python(source: str, name: str) -> dict[str, Any]:
    """Run the source of a generated module; return its names.

    >>> run_python("def double(x): return 2 * x", "toy")["double"](3)
    6
    """
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"<derive: {name}>", "exec"), namespace)
    return namespace


@cache
def find_compiler() -> Compiler:
    """Return the C compiler: $CC, gcc, clang, or zig's.

    Raises:
        CompilerMissingError: there is none.
    """
    candidates = [tuple(shlex.split(os.environ.get("CC", ""))), ("gcc",), ("clang",)]
    if importlib.util.find_spec("ziglang") is not None:
        candidates.append((sys.executable, "-m", "ziglang", "cc"))
    for command in candidates:
        if command and shutil.which(command[0]) and (version := _version(command)):
            return Compiler(command, version)
    raise CompilerMissingError(
        'no C compiler was found: install gcc or clang, set CC, or pip install "derive[zig]"; or use --target numpy'
    )


def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def native_flags(compiler: Compiler, exact: bool = False) -> tuple[str, ...]:
    """Return the flags that make the most of this processor; such a build must not leave the machine.

    With `exact` no product is contracted with a sum: the same bits as anywhere else.
    """
    flags = ["-ffp-contract=off" if exact else "-ffp-contract=fast"]
    if "ziglang" in compiler.command:  # zig builds for this processor unless told otherwise
        return tuple(flags)
    if platform.machine().lower() in ("x86_64", "amd64", "i686"):
        flags.append("-march=native")
        if "avx512f" in processor():
            flags.append("-mprefer-vector-width=512")
            # of loads under a mask that it knows, gcc 12 makes loads of whole vectors, past the end of short arrays
            flags += ["-mno-avx512vl"] if "Free Software Foundation" in compiler.version else []
    else:
        flags.append("-mcpu=native")
    return tuple(flags)


def local_machine(exact: bool = False) -> Machine:
    """Return the machine that code is built for here; the same one everywhere where bits must be."""
    if exact:
        return PORTABLE_MACHINE
    return machine_of(processor()) if platform.machine().lower() in ("x86_64", "amd64") else NARROW


@cache
def processor() -> str:
    """Return what tells this processor from others: its name and its features."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return " ".join(told.get(key, "") for key in ("model name", "flags", "Features", "CPU part")) + platform.machine()


def load_library(source: str, name: str, exact: bool = False, openmp: bool = False) -> ctypes.CDLL:
    """Compile C for this machine, or find it compiled already, and load it; `exact`: without contraction.

    With `openmp` its loops may be divided among threads.

    Raises:
        CompilerMissingError: there is no compiler.
        CompileFailedError: the compiler refused the source.
    """
    compiler = find_compiler()
    flags = (*PORTABLE, *native_flags(compiler, exact), *(["-fopenmp"] if openmp else []))
    path = compile_shared(source, name, compiler, flags)
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # a damaged file in the cache: once more from the source
        path.unlink(missing_ok=True)
        return ctypes.CDLL(str(compile_shared(source, name, compiler, flags)))


SPINS = "2000"
"""How often a thread of gcc's OpenMP looks whether the others are there before it sleeps, some 40 us. By default it is
some 10 ms, in which a thread that waits keeps the processor from the one that it waits for."""


@cache
def offers_openmp() -> bool:
    """Tell whether the compiler has OpenMP, and the library that goes with it.

    Who has not said otherwise gets threads that wait politely; the library reads that when it is first loaded.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        load_library("void team(void)\n{\n#pragma omp parallel\n    ;\n}\n", "openmp", openmp=True)
    except (CompileFailedError, OSError):
        return False
    return True


def compile_shared(source: str, name: str, compiler: Compiler, flags: Sequence[str]) -> Path:
    """Return the shared library of a source, from the cache or built now; safe between processes."""
    key = hashlib.sha256("\0".join([source, *flags, *compiler.command, compiler.version, processor()]).encode())
    stem = f"{name}-{key.hexdigest()[:32]}"
    folder = cache_folder()
    library = folder / f"{stem}{_ending()}"
    if library.is_file() and library.stat().st_size > 0:
        return library
    text = _write(folder, f"{stem}.c", source)
    handle, built = tempfile.mkstemp(suffix=_ending(), dir=folder)
    os.close(handle)
    try:
        _compile([*compiler.command, *flags, "-shared", *_position(), "-o", built, str(text)], text)
        Path(built).replace(library)
    finally:
        Path(built).unlink(missing_ok=True)
    return library


def compile_program(text: Path, out: Path, flags: Sequence[str] = ("-std=c99", "-O2")) -> None:
    """Compile a file of C to a program; tests and `export` run it."""
    _compile([*find_compiler().command, *flags, "-o", str(out), str(text)], text)


def _compile(command: list[str], text: Path) -> None:
    # in a session of its own, where Ctrl-C does not reach it: a training that is being stopped ends the call first
    done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise CompileFailedError(
            f"the C compiler failed on {text}; its last lines:\n{last}\ncommand: {shlex.join(command)}"
        )


def _write(folder: Path, name: str, text: str) -> Path:
    handle, temporary = tempfile.mkstemp(suffix=".part", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    return Path(temporary).replace(folder / name)


def _ending() -> str:
    return ".dll" if sys.platform == "win32" else ".so"


def _position() -> list[str]:
    return [] if sys.platform == "win32" else ["-fPIC"]


@cache
def cache_folder() -> Path:
    """Return the folder of compiled functions; one of this process alone where the usual one cannot be written."""
    folder = Path(platformdirs.user_cache_dir("derive"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            return folder
    except OSError:
        private = tempfile.mkdtemp(prefix="derive-")
        atexit.register(shutil.rmtree, private, ignore_errors=True)
        return Path(private)
