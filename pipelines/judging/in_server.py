"""The challenger in a real server: how long an answer takes, how much memory, which answers.

One server is started for all of that (see `trial_server`). What it takes of memory then is the
beginning. It takes the challenger's bundle; held-out rows are asked over HTTP, each alone, which
also warms it up; then rounds of them are timed, all are asked at once, and golden requests. The
most that the server and the processes below it took is the end.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import replace
from itertools import cycle, islice
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil

from pipelines.bundle.rows import rows_from_table
from pipelines.errors import BadData, Unreachable
from pipelines.judging.served_bundle import write_served
from pipelines.judging.server_answers import Caller, encode_body
from pipelines.judging.trial_server import ROWS, START_SECONDS, NotMeasured
from pipelines.science.gate.served_check import (
    GoldenAnswer,
    LatencyFacts,
    MemoryFacts,
    ServerFacts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.context import Context
    from pipelines.judging.served_model import ServedModel
    from pipelines.judging.trial_server import Servers, TrialServer
    from pipelines.messages import FeaturesResult, TrainResult
    from pipelines.spec.gate import Gate
    from pipelines.spec.gate_served import GoldenRow, Latency

ROUNDS, MOST_ROUNDS, REQUESTS = 3, 10, 100
"""Rounds of so many requests are timed, and the least of the rounds counts: a busy machine only
adds. More rounds follow where that is beyond the limit, but not hopelessly.
"""
_HOPELESS = 3.0
"""Beyond so many times the limit no further round would help."""
_ROUNDS_SECONDS = 10.0
"""No further round begins after so long."""
_LEAST, _ROUND_SECONDS = 20, 60.0
"""A round that takes longer ends early, but not before so many requests."""
_KIBIBYTE = 1024
_ANEW = b"5"
"""Written to /proc/PID/clear_refs, it lets the kernel count the peak from now on."""


def measure_in_server(
    context: Context,
    features: FeaturesResult,
    best: TrainResult,
    model: ServedModel,
    servers: Servers,
) -> ServerFacts | None:
    """Return what is known of the model in a server; None where the gate asks for nothing of it.

    `error` says why where nothing could be measured.
    """
    gate = context.spec.gate
    if not (gate.latency or gate.memory or gate.golden):
        return None
    try:
        with servers(context) as server:
            before = _begin_counting(server) if gate.memory else None
            manifest = write_served(context, features, best, model, server.store)
            version, seconds = (
                best.run_id or best.candidate,
                context.settings.deploy_timeout_seconds,
            )
            release = server.serve(manifest, context.spec.name, version, seconds)
            each = context.settings.own_code_answer_seconds + START_SECONDS
            with Caller(server, context.spec.name, release, each) as caller:
                facts = _ask(gate, model, caller)
            server.expect_alive()
            return replace(facts, memory=_end_counting(server, before) if gate.memory else None)
    except (BadData, Unreachable, OSError, psutil.Error) as error:
        return ServerFacts(error=" ".join(str(error).split()))


def _ask(gate: Gate, model: ServedModel, caller: Caller) -> ServerFacts:
    """Return what comes of held-out rows and of the gate's golden requests."""
    latency = None
    if gate.latency or gate.memory:
        rows = rows_from_table(model.predictor.schema.columns, model.rows.slice(0, ROWS))
        bodies = [body for row in rows if (body := encode_body(row=row)) is not None]
        alone = caller.ask_all(bodies, least=_LEAST, seconds=_ROUND_SECONDS)
        good = [body for body, answer in zip(bodies, alone, strict=False) if answer.count(1)]
        if not good:
            raise NotMeasured("The server answers none of the held-out rows.")
        if gate.latency:
            latency = _time_rounds(caller, good, gate.latency)
        if gate.memory:
            some = [row for row in rows if encode_body(row=row) is not None]
            caller.ask(encode_body(rows=some) or b"").count(len(some))
    golden = tuple(_ask_golden(caller, place, row) for place, row in enumerate(gate.golden))
    return ServerFacts(latency=latency, golden=golden)


def _time_rounds(caller: Caller, bodies: Sequence[bytes], limit: Latency) -> LatencyFacts:
    """Return the quantile of what requests took, in the round where it was least."""
    began, requests, least = time.monotonic(), 0, inf
    for number in range(MOST_ROUNDS):
        is_near = limit.milliseconds < least < _HOPELESS * limit.milliseconds
        is_known = number >= ROUNDS and not is_near
        if is_known or (number and time.monotonic() > began + _ROUNDS_SECONDS):
            break
        asked = islice(cycle(bodies), REQUESTS)
        answers = caller.ask_all(asked, least=_LEAST, seconds=_ROUND_SECONDS)
        seconds = [answer.seconds for answer in answers if answer.count(1)]
        if not seconds:
            raise NotMeasured("The server answers a row, and then no more.")
        requests += len(seconds)
        least = min(least, 1_000 * float(np.quantile(seconds, limit.quantile)))
    return LatencyFacts(milliseconds=least, requests=requests)


def _ask_golden(caller: Caller, place: int, golden: GoldenRow) -> GoldenAnswer:
    """Return what the server answers to a golden request, or why it does not."""
    body = encode_body(row=golden.row)
    answer = None if body is None else caller.ask(body)
    if answer is None or not answer.is_success:
        # Said of this request alone: the others are known without it.
        why = answer.problem if answer else "it holds a number that JSON cannot"
        return GoldenAnswer(place, golden.answer, None, 0.0, right=False, problem=why)
    (found,) = answer.predictions(1)
    if isinstance(golden.answer, str) or isinstance(found, str):
        return GoldenAnswer(place, golden.answer, found, 0.0, right=found == golden.answer)
    right = abs(found - golden.answer) <= golden.within
    return GoldenAnswer(place, golden.answer, found, golden.within, right)


def _begin_counting(server: TrialServer) -> int | None:
    """Return the bytes that a server takes now; its peak counts anew. None off Linux."""
    if not sys.platform.startswith("linux"):
        return None
    pid = server.process.pid
    with contextlib.suppress(OSError):  # then the peak of the start counts too
        Path(f"/proc/{pid}/clear_refs").write_bytes(_ANEW)
    before: int = psutil.Process(pid).memory_info().rss
    return before


def _end_counting(server: TrialServer, before: int | None) -> MemoryFacts:
    if before is None:
        return MemoryFacts(error="only Linux tells how much memory a process took at most")
    return MemoryFacts(more=max(_peak(server.process.pid) - before, 0), without=before)


def _peak(pid: int) -> int:
    """Return the most bytes that a process and those below it took, each at its own time."""
    server = psutil.Process(pid)
    return sum(_peak_of(each.pid) for each in (server, *server.children(recursive=True)))


def _peak_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * _KIBIBYTE
    raise NotMeasured("The kernel does not tell how much memory the server took.")
