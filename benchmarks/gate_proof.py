"""Mutation tests for the gate: which bad models it refuses, and which better ones it loses.

`make gate-proof`, or `python -m benchmarks.gate_proof` from the checkout.

The bad models and evaluations are fixed in `benchmarks/proving/bad_models.py`; each goes through
the real gate step, with a champion that was trained and packaged. So do truly better models and
models that are exactly as good as the champion. Decision rules of well-known projects are scored
on the same cases.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.proving.bad_models import BAD
from benchmarks.proving.better import KINDS, judge_better, judge_equal
from benchmarks.proving.kept_server import KeptServer
from benchmarks.proving.nature import GATE
from benchmarks.proving.outcomes import judge
from benchmarks.proving.rules import RULES
from benchmarks.proving.scene import Scene
from benchmarks.proving.world import World, scratch
from benchmarks.report import Measure, is_tiny, show, write

if TYPE_CHECKING:
    from benchmarks.proving.better import Judged
    from benchmarks.proving.outcomes import Outcome
    from pipelines.judging.trial_server import Servers

OF_A_KIND, TINY_OF_A_KIND = 50, 1
CHAMPIONS, EQUAL = 10, 20
PER_DAY, TINY_PER_DAY = 100, 60
REFUSED = 0.05
PROMOTED = 0.05
SEED = 20_260


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    quiet()
    with KeptServer() as servers:
        return _measure(servers, tiny=tiny)


def _measure(servers: Servers, *, tiny: bool) -> int:
    per_day = TINY_PER_DAY if tiny else PER_DAY
    better: list[Judged] = []
    for kind in KINDS[:1] if tiny else KINDS:
        found = judge_better(
            kind, TINY_OF_A_KIND if tiny else OF_A_KIND, SEED, per_day, GATE, servers
        )
        lost = [judged for judged in found if not judged.outcome.promoted]
        print(f"better by {kind.name}: {len(lost)} of {len(found)} are refused", flush=True)
        for judged in lost:
            print(f"  a gain of {judged.gain:.3f}: {'; '.join(judged.outcome.reasons)}")
        better += found
    count, champions = (1, 1) if tiny else (EQUAL, CHAMPIONS)
    equal = judge_equal(count, SEED, per_day, GATE, champions, servers)
    print(f"as good: {sum(o.promoted for o in equal)} of {len(equal)} are promoted", flush=True)
    bad = judge_bad(per_day, servers, TINY if tiny else None)
    print_cases(bad)
    rows = [*_measure_gate(bad, better, equal), *_measure_rules(bad, better, equal)]
    show("Gate proof", rows)
    if tiny:
        return 0
    write("gate_proof", rows)
    return int(any(not _reaches(row) for row in rows if row["asked"]))


TINY = ("shuffled labels", "over-confident", "one NaN")


def quiet() -> None:
    """Let the steps and MLflow log nothing of what is meant to go wrong."""
    for name in ("perennial.proof", "mlflow.models.evaluation.validation"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def judge_bad(
    per_day: int, servers: Servers, names: tuple[str, ...] | None = None
) -> dict[str, Outcome]:
    """Return what becomes of each bad case, or of those named."""
    home = scratch()
    scene = Scene(lambda: World(home, per_day=per_day, servers=servers), GATE)
    return {bad.name: judge(*bad.make(scene)) for bad in BAD if names is None or bad.name in names}


def print_cases(bad: dict[str, Outcome]) -> None:
    """Print what became of each bad case, and which other rules would promote it."""
    table = Table("case", "what is wrong", "gate", "refused by", "promoted by", title="Bad models")
    says = {case.name: case.says for case in BAD}
    for name, outcome in bad.items():
        fate = "SURVIVED" if outcome.promoted else "killed"
        rules = "all the other rules" if len(outcome.promoted_by) == len(RULES) else None
        others = rules or ", ".join(outcome.promoted_by)
        table.add_row(name, says[name], fate, ", ".join(outcome.checks), others)
    Console().print(table)


def _measure_gate(
    bad: dict[str, Outcome], better: list[Judged], equal: list[Outcome]
) -> list[Measure]:
    killed = sum(not o.promoted for o in bad.values())
    rows = [_row(f"bad models refused, of {len(bad)}", killed, "cases", f">= {len(bad)}")]
    rows += [_row(f"refused: {name}", int(not o.promoted), "of 1", "") for name, o in bad.items()]
    refused = _share([not judged.outcome.promoted for judged in better])
    rows.append(_row(f"better models refused, of {len(better)}", refused, "share", f"<= {REFUSED}"))
    for kind in dict.fromkeys(judged.kind for judged in better):
        of_kind = [judged for judged in better if judged.kind == kind]
        lost = _share([not judged.outcome.promoted for judged in of_kind])
        gain = min(judged.gain for judged in of_kind)
        rows.append(_row(f"better by {kind}: refused, of {len(of_kind)}", lost, "share", ""))
        rows.append(_row(f"better by {kind}: least true gain", gain, "AUC", ""))
    least = PROMOTED + 3 * (PROMOTED * (1 - PROMOTED) / len(equal)) ** 0.5
    promoted = _share([outcome.promoted for outcome in equal])
    name = f"equal models promoted, of {len(equal)}"
    return [*rows, _row(name, promoted, "share", f"<= {round(least, 3)}")]


def _measure_rules(
    bad: dict[str, Outcome], better: list[Judged], equal: list[Outcome]
) -> list[Measure]:
    rows: list[Measure] = []
    for rule in RULES:
        killed = sum(rule not in o.promoted_by for o in bad.values())
        lost = _share([rule not in judged.outcome.promoted_by for judged in better])
        promoted = _share([rule in o.promoted_by for o in equal])
        rows += [
            _row(f"{rule}: bad models refused, of {len(bad)}", killed, "cases", ""),
            _row(f"{rule}: better models refused", lost, "share", ""),
            _row(f"{rule}: equal models promoted", promoted, "share", ""),
        ]
    return rows


def _row(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": round(value, 4), "unit": unit, "asked": asked}


def _share(found: list[bool]) -> float:
    return sum(found) / len(found)


def _reaches(row: Measure) -> bool:
    sign, limit = row["asked"].split()
    return row["value"] >= float(limit) if sign == ">=" else row["value"] <= float(limit)


if __name__ == "__main__":
    sys.exit(main())
