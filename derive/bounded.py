"""Work that must end, whatever it runs: done in a process forked off, step by step, each with a clock and a limit.

A formula can ask for anything, also inside C code that no exception reaches: a power of a power, a huge product. So
the kernel is the watchman. Each step sets two timers whose signals end the process, of processor time, so that a busy
machine changes no verdict, and of ten times as long on the wall, for what waits; its memory is limited as well. The
parent only reads what the child sends; when it ends early, the step it was at is given up, for a reason that is told,
and another child goes on: what was done is known to it, since it is forked from the parent.

No child outlives its parent: a pipe that only the parent can write to closes when that ends, however it ends, and
the kernel tells the child with a signal that ends it.

Where there is no fork (Windows), work is done in the process itself, without bounds; memory is limited on Linux alone,
where the system tells how much there is already.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn, TypeVar

from derive.errors import DeriveError

if sys.platform != "win32":
    import fcntl
    import resource

    ENDING = (signal.SIGPROF, signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGIO)  # end a child at once

T = TypeVar("T")
WAITING = 10  # times the processor's seconds may pass on the wall: other processes want their share
NO_MEMORY = 77  # how a child exits that got no more
DEEP = "is nested too deeply"
_ALONE = threading.Lock()  # while pipes are made, or a child of another thread would keep them open


@dataclass(frozen=True, slots=True)
class Limits:
    """What each step may take: seconds of the processor, and megabytes more than the parent has."""

    seconds: float
    megabytes: int


LIMITS = Limits(seconds=10, megabytes=2048)  # the slowest claim of the pages that we know takes half a second


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a step was given up, and after how many seconds."""

    reason: str
    seconds: float


class Steps:
    """Steps taken in the process itself, without bounds."""

    def take(
        self, key: Hashable, work: Callable[[], T], given_up: Callable[[Stop], T], kept: bool = True, seconds: float = 0
    ) -> T:
        """Do a step.

        Args:
            key: What it is called; each step has its own.
            work: What is done.
            given_up: Gives the result in its place if it is not done within the limits.
            kept: Whether the result is small enough to be sent, and known when a later step was given up.
            seconds: Its own limit, in place of the usual one.
        """
        begin = time.perf_counter()
        try:
            return work()
        except RecursionError:
            return given_up(Stop(DEEP, time.perf_counter() - begin))


@dataclass(slots=True)
class _Known:
    """What the children have done so far, by the steps' keys: results, and what stopped those given up."""

    done: dict[Hashable, Any] = field(default_factory=dict)
    stopped: dict[Hashable, Stop] = field(default_factory=dict)


def bounded(
    work: Callable[[Steps], Iterable[T]], limits: Limits | None = None,
    begins: Callable[[Hashable], None] = lambda key: None,
) -> Iterator[T]:  # fmt: skip
    """Yield what work yields, while it is done in another process; what takes too much is given up.

    Args:
        work: Takes its steps through what it is given, always the same ones in the same order.
        limits: Of each step; None for the usual ones.
        begins: Called with the key of each step as it begins, where there is another process.
    Raises:
        DeriveError: What is between the steps took too much.

    >>> def work(steps):
    ...     yield steps.take("easy", lambda: 2**10, len)
    ...     yield steps.take("hard", lambda: len(str(7**7**9)), lambda stop: stop.reason)
    >>> list(bounded(work, Limits(0.1, 256)))
    [1024, 'takes more than 0.1 s']
    """
    limits = limits or LIMITS
    if sys.platform == "win32":
        yield from work(Steps())
        return
    known, given = _Known(), 0
    while True:
        child, alive, answers = _forked(work, limits, known)
        at: Hashable = None
        allowed, begin, seen = limits.seconds, time.perf_counter(), 0
        try:
            for kind, key, value in _received(answers):
                if kind == "begins":
                    at, allowed, begin = key, value, time.perf_counter()
                    begins(key)
                elif kind == "ends":
                    at, allowed = None, limits.seconds
                elif kind == "done":
                    known.done[key], at, allowed = value, None, limits.seconds
                elif kind == "yields":
                    seen += 1
                    if seen > given:
                        given = seen
                        yield value
                elif kind == "raises":
                    raise value
                else:
                    return
        finally:
            status = _ended(child, alive, answers)
        reason = _reason(status, allowed, limits)
        if at is None:
            raise DeriveError(f"what is between two claims {reason}; split the source")
        known.stopped[at] = Stop(reason, time.perf_counter() - begin)


# ---------------------------------------------------------------- the parent
def _forked(work: Callable[[Steps], Iterable[Any]], limits: Limits, known: _Known) -> tuple[int, int, Connection]:
    """Start a child; return its number, what keeps it alive while it is open, and where its answers come."""
    parent = os.getpid()
    with _ALONE:
        answers, sender = Pipe(duplex=False)
        life, alive = os.pipe()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # or Ctrl-C makes the child go on as its parent
        with warnings.catch_warnings():  # of threads, whose locks the child might wait for: then its clock ends it
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            _run(work, _Child(limits, known, sender), parent, life, alive)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sender.close()
        os.close(life)
    return child, alive, answers


def _received(answers: Connection) -> Iterator[tuple[str, Hashable, Any]]:
    """Yield what a child sends, up to its end; these are our own objects, not the source's text."""
    while True:
        try:
            yield answers.recv()
        except EOFError:
            return


def _ended(child: int, alive: int, answers: Connection) -> int:
    """Return how a child ended, or end it."""
    answers.close()
    os.close(alive)
    try:
        os.kill(child, signal.SIGKILL)  # one that has ended already keeps its own status
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except (ProcessLookupError, ChildProcessError):  # in a program that lets all its children go unheard
        return 1


def _reason(status: int, seconds: float, limits: Limits) -> str:
    if status in (-signal.SIGPROF, -signal.SIGALRM):
        return f"takes more than {seconds:g} s"
    if status == NO_MEMORY:
        return f"needs more than {limits.megabytes / 1024:g} GB of memory"
    return f"ends the process that does it, with status {status}"


# ---------------------------------------------------------------- the child
@dataclass(slots=True)
class _Child(Steps):
    limits: Limits
    known: _Known
    sender: Connection

    def take(
        self, key: Hashable, work: Callable[[], T], given_up: Callable[[Stop], T], kept: bool = True, seconds: float = 0
    ) -> T:
        """Do a step with the clock running, unless it is done already or was given up."""
        if key in self.known.stopped:
            return given_up(self.known.stopped[key])
        if key in self.known.done:
            done: T = self.known.done[key]
            return done
        seconds = seconds or self.limits.seconds
        self.tell("begins", key, seconds, seconds)
        result = Steps.take(self, key, work, given_up)
        self.tell("done", key, result) if kept else self.tell("ends", key)
        return result

    def tell(self, kind: str, key: Hashable = None, value: Any = None, seconds: float = 0) -> None:
        """Send to the parent, who may let us wait: the clock stands still meanwhile, and begins anew."""
        _set_clock(0)
        self.sender.send((kind, key, value))
        _set_clock(seconds or self.limits.seconds)


def _run(work: Callable[[Steps], Iterable[Any]], child: _Child, parent: int, life: int, alive: int) -> NoReturn:
    """Be the child: nothing of the parent's is run at its end."""
    status = 1
    try:
        os.close(alive)
        _end_by_signals(parent, life)
        _limit_memory(child.limits.megabytes)
        _set_clock(child.limits.seconds)
        try:
            for item in work(child):
                child.tell("yields", None, item)
            child.tell("ends all")
        except MemoryError:
            raise
        except Exception as error:  # whatever it is, the parent raises it
            error.add_note(f"in the process that judges:\n{traceback.format_exc()}")
            child.tell("raises", None, error)
        status = 0
    except MemoryError:
        status = NO_MEMORY
    finally:
        os._exit(status)


def _end_by_signals(parent: int, life: int) -> None:
    """Let the timers, Ctrl-C and the end of the parent end this process, whatever handlers the parent has."""
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    with suppress(OSError):  # where pipes send no signals, the clock alone ends a child that is left
        fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)  # SIGIO once it is closed
    if os.getppid() != parent:
        os._exit(1)


def _limit_memory(megabytes: int) -> None:
    """Limit what can be written to (not what threads and libraries only reserve) to so much more than there is now."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no file of a user)
            now = int(file.read().split()[5]) * resource.getpagesize()
    except OSError:
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = now + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _set_clock(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * WAITING)
