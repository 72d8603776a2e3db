"""What can be measured, each section with its figures and its table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.contestants import OURS, OURS_NUMPY, Entry
from benchmarks.crew import Crew, Result
from benchmarks.hand import predict, reference
from benchmarks.peak import Peak
from benchmarks.report import NONE, Sheet, figures, share
from benchmarks.startup import first_steps
from benchmarks.workloads import MAIN, WORKLOADS, Workload

WIDE = 7  # workloads in a table of 80 columns
BUSY = 0.9  # a smaller share of the processor is worth a remark
Tell = Callable[[str], None]
Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure: what, how often, with which peers and interpreters."""

    workloads: Sequence[Workload]
    rounds: int
    seconds: float
    peers: frozenset[str] | None  # packages; None means all
    peer_python: str
    own_python: str
    clock: str  # `wall`, or `cpu`: only the time in which a contestant had its processor
    tell: Tell

    def takes_part(self, _: str, entry: Entry) -> bool:
        """Tell whether a contestant is wanted."""
        return not entry.package or self.peers is None or entry.package in self.peers

    def crew(self, roster: str) -> Crew:
        """Return the contestants of a roster; how fast several threads are, only the wall clock tells."""
        clock = "wall" if roster == "threads" else self.clock
        return Crew(roster, self.takes_part, self.peer_python, self.own_python, clock)


@dataclass(frozen=True, slots=True)
class Section:
    """What a section found: figures for JSON, a table, versions of peers, and whether ours failed anywhere."""

    figures: Figures
    sheet: Sheet
    versions: Mapping[str, str]
    failed: bool


# ---------------------------------------------------------------- training steps
def training(plan: Plan, peak: Peak) -> Section:
    """Steps of training, ours beside all peers."""
    found: dict[str, Figures] = {}
    with plan.crew("training") as crew:
        for workload in plan.workloads:
            peak.measure()
            start, data = workload.draw()
            results = crew.measure(workload, start, data, reference(workload, start, data), plan.rounds, plan.seconds)
            found[workload.name] = row = training_figures(workload, results)
            plan.tell(_told(workload.name, row))
        absent, versions = dict(crew.absent), dict(crew.versions)
    peak.measure()
    for name, row in found.items():
        flops_per_us = WORKLOADS[name].flops / row["ours_us"] if row["ours_us"] else None
        row["fma_fraction"] = None if flops_per_us is None else flops_per_us / (peak.gflops * 1e3)
    part = [w.name for w in MAIN if w.name in found]
    mean = geomean([found[name]["ratio"] for name in part])
    failed = any(row["ours_us"] is None for row in found.values())
    whole = {"workloads": found, "geomean": mean, "geomean_of": part, "absent": sorted(set(absent.values()))}
    return Section(whole, training_sheet(whole, peak.gflops, plan.clock), versions, failed)


def training_figures(workload: Workload, results: Mapping[str, Result]) -> Figures:
    """Return a workload's figures; contestants that fail the gate stand among `failing`, not among peers."""
    ours = results[OURS]
    peers = {name: r.us for name, r in results.items() if name not in (OURS, OURS_NUMPY) and r.us is not None}
    fastest = min(peers, key=lambda name: peers[name]) if peers else None
    ratio = peers[fastest] / ours.us if fastest is not None and ours.us is not None else None
    numpy = results.get(OURS_NUMPY, Result())
    return {
        "title": workload.title, "ours_us": ours.us, "ours_numpy_us": numpy.us, "peers_us": peers,
        "fastest_peer": fastest, "ratio": ratio, "fma_fraction": None, "flops": workload.flops,
        "error": _own_failure(ours),
        "failing": {name: r.failure for name, r in results.items() if r.failure is not None},
        "not_offered": {name: r.not_offered for name, r in results.items() if r.not_offered is not None},
        "gate": {
            name: {"loss_error": _finite(r.loss_error), "param_error": _finite(r.param_error)}
            for name, r in results.items() if r.loss_error is not None
        },
        "rounds_us": {name: r.rounds for name, r in results.items() if r.rounds},
        "processor_share": min((r.share for r in results.values() if r.share is not None), default=None),
    }  # fmt: skip


def _finite(error: float | None) -> float | None:
    """Return an error as JSON can carry it: None where it is no number."""
    return error if error is not None and math.isfinite(error) else None


def _own_failure(ours: Result) -> str | None:
    if ours.error is not None:
        return f"not compiled: {ours.error}"
    return ours.failure


def _told(name: str, row: Figures) -> str:
    if row["error"] is not None:
        return f"{name}: {row['error']}"
    peer = row["fastest_peer"]
    beside = f", {peer} {figures(row['peers_us'][peer])} µs, ratio {row['ratio']:.2f}" if peer else ""
    return f"{name}: ours {figures(row['ours_us'])} µs{beside}"


def geomean(ratios: Sequence[float | None]) -> float | None:
    """Return the geometric mean, None where a ratio is missing.

    >>> geomean([2.0, 8.0]), geomean([2.0, None])
    (4.0, None)
    """
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < len(ratios) or not known:
        return None
    return math.exp(statistics.fmean(map(math.log, known)))


def training_sheet(whole: Mapping[str, Any], peak: float, clock: str = "wall") -> Sheet:
    """Return the table of training steps."""
    rows, notes, busy = [], [f"{package}: not installed" for package in whole["absent"]], []
    for name, row in whole["workloads"].items():
        fastest = row["fastest_peer"]
        rows.append([
            name, figures(row["ours_us"]), fastest or NONE, figures(row["peers_us"].get(fastest)),
            NONE if row["ratio"] is None else f"{row['ratio']:.2f}", share(row["fma_fraction"]),
        ])  # fmt: skip
        if row["error"] is not None:
            notes.append(f"{name}: {row['error']}")
        told = row["failing"].get(OURS, "")
        notes += [f"{name}: {who}: {why}" for who, why in row["failing"].items() if who != OURS and why not in told]
        if row["processor_share"] is not None and row["processor_share"] < BUSY:
            busy.append(name)
    if busy:
        remedy = "their time is left out" if clock == "cpu" else "--clock cpu leaves their time out"
        notes.append(f"others used the processor during {', '.join(busy)}; {remedy}")
    mean, part = whole["geomean"], whole["geomean_of"]
    if part:
        rows.append([f"geomean of {len(part)}", "", "", "", NONE if mean is None else f"{mean:.2f}", ""])
    title = f"A training step, one thread (FMA peak {peak:.0f} GFLOP/s)"
    return Sheet(title, ["workload", "ours µs", "fastest peer", "µs", "ratio", "of peak"], rows, notes, (0, 2))


def every_peer(whole: Mapping[str, Any]) -> Iterator[Sheet]:
    """Yield tables of all peers' times as multiples of ours, as many workloads in each as a terminal is wide."""
    rows = {name: row for name, row in whole["workloads"].items() if row["ours_us"] is not None and row["peers_us"]}
    peers = list(dict.fromkeys(peer for row in rows.values() for peer in row["peers_us"]))
    for part in (list(rows)[k : k + WIDE] for k in range(0, len(rows), WIDE)):
        times = [[rows[name]["peers_us"].get(peer) for name in part] for peer in peers]
        ours = [rows[name]["ours_us"] for name in part]
        cells = [[NONE if t is None else figures(t / us) for t, us in zip(line, ours, strict=True)] for line in times]
        lines = [[peer, *line] for peer, line in zip(peers, cells, strict=True)]
        yield Sheet("Times of all peers / ours", ["peer", *part], lines)


# ---------------------------------------------------------------- other sections
def calls(plan: Plan, _: Peak) -> Section:
    """What a call from Python adds to a step in the compiled loop."""
    return _compared(plan, "calls", [WORKLOADS["W1b1"]], "A call from Python for every step", _call_notes)


def _call_notes(name: str, row: Figures) -> list[str]:
    us, notes = row["us"], []
    for key, who in (("overhead_us", "run(1)"), ("bound_overhead_us", "bound step")):
        if us.get(OURS) is not None and us.get(f"ours, {who}") is not None:
            row[key] = us[f"ours, {who}"] - us[OURS]
            notes.append(f"{name}: {who} adds {figures(row[key])} µs to a step in the compiled loop")
    return notes


def inference(plan: Plan, _: Peak) -> Section:
    """The trained function on one sample."""

    def expected(workload: Workload, start: Figures, data: Figures) -> Figures:
        return {"y": predict(workload, start, data["x"][:4])}

    def notes(name: str, row: Figures) -> list[str]:
        ours = [us for who, us in row["us"].items() if who.startswith(OURS) and us is not None]
        peer = row["us"].get("onnxruntime")
        if not ours or peer is None:
            return []
        row["ratio"] = peer / min(ours)
        return [f"{name}: ONNX Runtime takes {row['ratio']:.2f} times as long"]

    chosen = [WORKLOADS["W3"], WORKLOADS["W4"]]
    return _compared(plan, "inference", chosen, "Inference, one sample, from Python", notes, expected)


def threads(plan: Plan, _: Peak) -> Section:
    """Two threads beside one."""

    def notes(name: str, row: Figures) -> list[str]:
        one, two = row["us"].get(OURS), row["us"].get("ours, 2 threads")
        if one is None or two is None:
            return []
        row["speed_up"] = one / two
        return [f"{name}: two threads are {row['speed_up']:.2f} times as fast as one"]

    chosen = [WORKLOADS[name] for name in ("W1b32", "W2", "W3", "W4", "W5", "W6")]
    return _compared(plan, "threads", chosen, "Two threads beside one", notes)


def _compared(
    plan: Plan, roster: str, workloads: Sequence[Workload], title: str, notes: Callable[[str, Figures], list[str]],
    expected: Callable[[Workload, Figures, Figures], Figures] = reference,
) -> Section:  # fmt: skip
    """Measure the contestants of a roster on some workloads."""
    found: dict[str, Figures] = {}
    remarks: dict[str, None] = {}
    failed = False
    with plan.crew(roster) as crew:
        for workload in workloads:
            start, data = workload.draw()
            results = crew.measure(workload, start, data, expected(workload, start, data), plan.rounds, plan.seconds)
            row: Figures = {"us": {name: r.us for name, r in results.items()}}
            found[workload.name] = row
            remarks |= dict.fromkeys(notes(workload.name, row))
            for name, r in results.items():
                reason = r.failure or r.not_offered
                remarks |= {f"{name}: {reason}": None} if reason else {}
                remarks |= {f"{r.absent}: not installed": None} if r.absent else {}
                failed |= r.failure is not None and not crew.entries[name].package
            plan.tell(f"{roster} {workload.name}: measured")
            if all(r.not_offered or r.absent for name, r in results.items() if name != OURS):
                break  # nobody to compare with
        versions, names = dict(crew.versions), list(crew.entries)
    rows = [[name, *(figures(row["us"].get(who)) for who in names)] for name, row in found.items()]
    sheet = Sheet(f"{title}, µs", ["workload", *(name.replace(", ", ",\n") for name in names)], rows, list(remarks))
    return Section({roster: found}, sheet, versions, failed)


def startup(plan: Plan, _: Peak) -> Section:
    """Fresh processes: from their start to the first step, and the memory that they took."""
    wanted = None if plan.peers is None else plan.peers
    found, remarks = first_steps(WORKLOADS["W3"], wanted, plan.peer_python, plan.own_python, min(plan.rounds, 5))
    rows = [[name, *(figures(row[key]) for key in ("cold_s", "warm_s", "cold_mb", "warm_mb"))]
            for name, row in found.items()]  # fmt: skip
    columns = ["process", "cold s", "warm s", "cold MB", "warm MB"]
    sheet = Sheet("From the start of a process to its first step (W3)", columns, rows, remarks)
    failed = any(row["cold_s"] is None for name, row in found.items() if name == OURS)
    return Section({"startup": found}, sheet, {}, failed)


SECTIONS: Mapping[str, Callable[[Plan, Peak], Section]] = {
    "steps": training, "calls": calls, "inference": inference, "startup": startup, "threads": threads,
}  # fmt: skip
