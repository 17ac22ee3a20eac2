"""What a challenger costs to serve: its bytes, its milliseconds, its memory, its answers to golden
requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from pipelines.messages import GateCheck
from pipelines.plurals import how_many
from pipelines.science.enough import write_enough
from pipelines.science.gate.unmeasured import refuse_unmeasured

if TYPE_CHECKING:
    from pipelines.spec.gate import Gate

_MEBIBYTE = 2**20


@dataclass(frozen=True)
class GoldenAnswer:
    """What was answered to the golden request at a place, and what was expected.

    `found` is None where it cannot be answered, and then `problem` says why in words.
    """

    place: int
    expected: float | str
    found: float | str | None
    within: float
    right: bool
    problem: str = ""

    @property
    def away(self) -> float:
        """How far the answer is from the expected one; 0 of a name."""
        if isinstance(self.expected, str) or not isinstance(self.found, float | int):
            return 0.0
        return abs(self.found - self.expected)


@dataclass(frozen=True)
class MemoryFacts:
    """What a server takes of memory, in bytes.

    `more` is by how much its peak with the challenger, while it answers, lies above what it takes
    `without` a model; None where that was not measured, and then `error` says in words why.
    """

    more: int | None = None
    without: int = 0
    error: str = ""


@dataclass(frozen=True)
class LatencyFacts:
    """What a request for one row took, in milliseconds: the quantile that the spec names, of so
    many requests over HTTP.
    """

    milliseconds: float
    requests: int


@dataclass(frozen=True)
class ServerFacts:
    """What a real server showed of a challenger; None where it was not asked for.

    `error` says in words why nothing is known.
    """

    latency: LatencyFacts | None = None
    memory: MemoryFacts | None = None
    golden: tuple[GoldenAnswer, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class ServedFacts:
    """What is known of a challenger as it would be served, `server` by a real server.

    `error` says in words why nothing is known.
    """

    bundle_bytes: int = 0
    compiled: bool = False
    why_native: str = ""
    server: ServerFacts | None = None
    error: str = ""


def check_served(facts: ServedFacts | None, gate: Gate) -> list[GateCheck]:
    """Return the checks of size, latency, memory and golden requests that the spec asks for."""
    checks = {
        "size": _check_size,
        "latency": _check_latency,
        "memory": _check_memory,
        "golden": _check_golden,
    }
    asked = [name for name in checks if getattr(gate, name)]
    if not asked:
        return []
    if facts is None or facts.error:
        failure = "the challenger could not be asked as it would be served"
        error = facts.error if facts else ""
        return [refuse_unmeasured(name, failure, error, field=name) for name in asked]
    return [checks[name](facts, gate) for name in asked]


def _check_size(facts: ServedFacts, gate: Gate) -> GateCheck:
    limit = gate.size.limit if gate.size else 0
    passed = facts.bundle_bytes <= limit
    size, most = (f"{value / _MEBIBYTE:.3g} MiB" for value in (facts.bundle_bytes, limit))
    how = "compiled and stored" if facts.compiled else f"stored; {facts.why_native}"
    return GateCheck(
        name="size",
        passed=passed,
        detail=f"its model takes {size} ({how}), {'within' if passed else 'beyond'} the {most}",
        value=float(facts.bundle_bytes),
        limit=float(limit),
        would_pass=(
            ""
            if passed
            else f"{write_enough((facts.bundle_bytes - limit) / _MEBIBYTE)} MiB less: fewer or"
            " smaller trees, say, or a greater gate.size.bundle"
        ),
    )


def _check_latency(facts: ServedFacts, gate: Gate) -> GateCheck:
    limit, quantile = (
        (gate.latency.milliseconds, gate.latency.quantile) if gate.latency else (0.0, 0.5)
    )
    server = facts.server or ServerFacts()
    if server.latency is None or not isfinite(server.latency.milliseconds):
        failure = "how long an answer takes could not be measured"
        return refuse_unmeasured("latency", failure, server.error, field="latency", limit=limit)
    found = server.latency.milliseconds
    passed = found <= limit
    how = "compiled" if facts.compiled else "native"
    return GateCheck(
        name="latency",
        passed=passed,
        detail=(
            f"a server with the {how} model answers {100 * quantile:.3g} % of requests for one row"
            f" within {found:.3g} ms over HTTP (of {server.latency.requests} requests, JSON and log"
            f" included), {'within' if passed else 'beyond'} the {limit:.3g} ms"
        ),
        value=found,
        limit=limit,
        would_pass=(
            ""
            if passed
            else f"answers {write_enough(found - limit)} ms faster, or a greater"
            " gate.latency.milliseconds"
        ),
    )


def _check_memory(facts: ServedFacts, gate: Gate) -> GateCheck:
    limit, server = (gate.memory.limit if gate.memory else 0), facts.server or ServerFacts()
    found = server.memory or MemoryFacts()
    if found.more is None:
        failure = "how much memory a server takes for it could not be measured"
        return refuse_unmeasured("memory", failure, server.error or found.error, field="memory")
    passed = found.more <= limit
    more, most, in_all = (
        f"{value / _MEBIBYTE:.3g} MiB" for value in (found.more, limit, found.without + found.more)
    )
    return GateCheck(
        name="memory",
        passed=passed,
        detail=(
            f"a server takes {more} more with it ({in_all} in all),"
            f" {'within' if passed else 'beyond'} the {most}"
        ),
        value=float(found.more),
        limit=float(limit),
        would_pass=(
            ""
            if passed
            else f"{write_enough((found.more - limit) / _MEBIBYTE)} MiB less: fewer or smaller"
            " trees, say, or a greater gate.memory.at_most"
        ),
    )


def _check_golden(facts: ServedFacts, gate: Gate) -> GateCheck:
    server = facts.server or ServerFacts()
    if server.error:
        failure = "golden requests could not be asked in a server"
        return refuse_unmeasured("golden", failure, server.error, field="golden")
    wrong = [answer for answer in server.golden if not answer.right]
    missing = len(gate.golden) - len(server.golden)
    if not wrong and not missing:
        asked = how_many(len(gate.golden), "golden request")
        return GateCheck(
            name="golden",
            passed=True,
            detail=f"{asked} answered as expected",
            value=0.0,
            limit=0.0,
        )
    told = "; ".join(
        (
            f"gate.golden.{a.place} cannot be answered: {a.problem}"
            if a.found is None
            else f"gate.golden.{a.place}: {_shown(a.found)} instead of {_shown(a.expected)}"
        )
        for a in wrong[:3]
    )
    first = max(wrong, key=lambda a: a.away - a.within, default=None)
    return GateCheck(
        name="golden",
        passed=False,
        detail=(
            f"{len(wrong) + missing} of {how_many(len(gate.golden), 'golden request')} are answered"
            f" otherwise: {told or 'they were not asked'}"
        ),
        value=float(len(wrong) + missing),
        limit=0.0,
        would_pass=(
            f"`within: {write_enough(first.away)}` at gate.golden.{first.place}, or other answers"
            if first is not None and first.away
            else "a value of its type for each input"
            if any(answer.found is None for answer in wrong)
            else "other answers, or other expectations"
        ),
    )


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
