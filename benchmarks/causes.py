"""Is the cause of a change named right? `python -m benchmarks.causes` from the checkout.

`watching_faults.toml` says which faults there are, how severe, and which of them were held out
while the naming was written. Each is put several times into a window of whole days, of simulated
data and of real data (those of PERENNIAL_DATA, or ../shared/data, and the flights, which a package
holds); the reference are rows of the other days, as many as a bundle keeps. Named right is a kind,
and of a broken pipe also what is broken. It takes some minutes of one processor; where others use
the machine, OMP_NUM_THREADS=1 makes it several times as fast.
"""

from __future__ import annotations

import sys
import tomllib
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.causing.faults import FAULTS, NoPlaceError, draw_days
from benchmarks.causing.worlds import FITTED, WORLDS, Model, at_hand, split
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.causes.naming import name_cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.causing.worlds import World
    from pipelines.science.changes.facts import Sample

FAULTS_FILE = Path(__file__).with_name("watching_faults.toml")
ASKED = 0.9
RETRAINS = ("population", "concept")
"""The kinds on which a policy may retrain."""
HELD_BACK = "held-out severities"
HELD_SET = "held-out data set"
UNSEEN = "data sets that came when it was finished"
SEEN = "seen while it was written"


@dataclass(frozen=True)
class Case:
    """One window: where it is from, what is in it, what was named; `part` says who had seen it."""

    data: str
    fault: str
    severity: str
    part: str
    expected: str
    details: tuple[str, ...]
    kind: str
    detail: str
    sureness: str

    @property
    def is_right(self) -> bool:
        """Whether the kind is right, and of a broken pipe what is broken too."""
        return self.kind == self.expected and (not self.details or self.detail in self.details)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    tiny = is_tiny(__doc__, argv)
    plan = tomllib.loads(FAULTS_FILE.read_text(encoding="utf-8"))
    cases = list(measure(plan, tiny=tiny))
    rows = [*summarise(cases)]
    show("Causes", rows)
    print_confusion(cases)
    print_wrong(cases)
    if tiny:
        return 0
    write("causes", rows)
    return int(any(not _is_met(row) for row in rows))


def measure(
    plan: dict[str, Any], *, tiny: bool, names: Sequence[str] = (), windows: int | None = None
) -> Iterator[Case]:
    """Give every case of the plan; of a tiny one the first severities on simulated data.

    `names` are the data sets to look at, all by default; `windows` is how many there are of a case.
    """
    windows = 1 if tiny else windows or plan["windows_per_case"]
    for data in plan["data"]:
        if data["name"] not in (["simulated"] if tiny else names or [data["name"]]):
            continue
        if not at_hand(data["name"]):
            print(f"The data of {data['name']} are not at hand (PERENNIAL_DATA).", flush=True)
            continue
        scene = prepare(data["name"])
        for fault in plan["fault"]:
            if data["name"] not in fault.get("only", [data["name"]]):
                continue
            for severity in fault["severities"][: 1 if tiny else None]:
                cases = [_one(scene, data, fault, severity, number) for number in range(windows)]
                yield from (case for case in cases if case is not None)
        print(f"{data['name']}: done", flush=True)


def prepare(name: str) -> tuple[World, Sample, Model, Any]:
    """Return a world, its rows answered by a model, that model, and the days it has not seen."""
    world = WORLDS[name]()
    days = np.unique(world.days)
    fitted = np.random.default_rng(1).permutation(days)[: int(FITTED * len(days))]
    model = Model(world.pick(np.isin(world.days, fitted)))
    return world, model.sample(world), model, np.setdiff1d(days, fitted)


def _one(
    scene: tuple[World, Sample, Model, Any],
    data: dict[str, Any],
    fault: dict[str, Any],
    severity: dict[str, Any],
    number: int,
) -> Case | None:
    """Return one case; None where the data set has no column that the fault could strike."""
    world, answered, model, days = scene
    words = f"{data['name']} {fault['name']} {severity['name']} {number}"
    rng = np.random.default_rng(zlib.crc32(words.encode()))
    chosen = draw_days(days, data["window_days"], severity, rng)
    window, reference = split(world, answered, chosen, days, number)
    try:
        struck = FAULTS[fault["name"]](window, severity, rng)
    except NoPlaceError:
        return None
    cause = name_cause(model.sample(struck), reference, seed=number)
    part = HELD_BACK if severity.get("held_out") else SEEN
    if data.get("held_out") or data.get("unseen"):
        part = HELD_SET if data.get("held_out") else UNSEEN
    return Case(
        data["name"],
        fault["name"],
        severity["name"],
        part,
        fault["cause"],
        tuple(fault.get("details", ())),
        cause.kind,
        cause.detail,
        cause.sureness,
    )


def summarise(cases: list[Case]) -> Iterator[Measure]:
    """Give the shares that were named right, and how often a broken pipe would have retrained."""
    unseen = [c for c in cases if c.part == UNSEEN]
    if unseen:
        title = f"cause named right: {UNSEEN}, {len(unseen):,} windows"
        yield _share(title, unseen, f">= {ASKED}")
        yield from _count_wrong(unseen, f"{UNSEEN}: ")
    cases = [c for c in cases if c.part != UNSEEN]
    held = [c for c in cases if c.part != SEEN]
    for title, part in (
        ("all that was held out", held),
        (HELD_BACK, [c for c in cases if c.part == HELD_BACK]),
        (HELD_SET, [c for c in cases if c.part == HELD_SET]),
        (SEEN, [c for c in cases if c.part == SEEN]),
    ):
        if part:
            asked = f">= {ASKED}" if part is held else ""
            yield _share(f"cause named right: {title}, {len(part):,} windows", part, asked)
    for fault in dict.fromkeys(c.fault for c in cases):
        own = [c for c in held if c.fault == fault] or [c for c in cases if c.fault == fault]
        yield _share(f"cause named right: {fault}, {len(own):,} windows", own, "")
    for data in dict.fromkeys(c.data for c in [*cases, *unseen]):
        own = [c for c in [*cases, *unseen] if c.data == data]
        yield _share(f"cause named right: {data}, {len(own):,} windows", own, "")
    yield from _count_wrong(cases, "")


def _count_wrong(cases: list[Case], where: str) -> Iterator[Measure]:
    """Give how often something would be learnt from a broken pipe, or held that is sound."""
    broken = [c for c in cases if c.expected == "broken_upstream"]
    retrained = sum(c.kind in RETRAINS for c in broken)
    others = [c for c in cases if c.expected != "broken_upstream"]
    held = [c for c in broken if (c.kind, c.sureness) == ("broken_upstream", "sure")]
    calm = [c for c in cases if c.expected in {"nothing", "season"}]
    wrongly = sum((c.kind, c.sureness) == ("broken_upstream", "sure") for c in others)
    called = sum(c.kind == "broken_upstream" for c in calm)
    for title, count, asked in (
        (f"broken pipes taken for something to learn from, of {len(broken):,}", retrained, "<= 0"),
        (
            f"windows that no pipe broke, held as broken for sure, of {len(others):,}",
            wrongly,
            "",
        ),
        (f"quiet or seasonal windows called broken, of {len(calm):,}", called, ""),
    ):
        yield {"measure": where + title, "value": count, "unit": "windows", "asked": asked}
    yield _share_of(
        f"{where}broken pipes held for sure, of {len(broken):,}", len(held), len(broken)
    )


def _share(measure: str, cases: list[Case], asked: str) -> Measure:
    share = sum(c.is_right for c in cases) / max(len(cases), 1)
    return {"measure": measure, "value": round(share, 3), "unit": "share", "asked": asked}


def _share_of(measure: str, count: int, all_of_them: int) -> Measure:
    share = round(count / max(all_of_them, 1), 3)
    return {"measure": measure, "value": share, "unit": "share", "asked": ""}


def _is_met(row: Measure) -> bool:
    if not row["asked"]:
        return True
    sign, bound = row["asked"].split(" ")
    return row["value"] >= float(bound) if sign == ">=" else row["value"] <= float(bound)


def print_confusion(cases: list[Case]) -> None:
    """Print for each fault what was named, by who had seen it."""
    for part in (UNSEEN, HELD_SET, HELD_BACK, SEEN):
        own = [c for c in cases if c.part == part]
        if own:
            print(f"Named, by fault ({part}):")
        for fault in dict.fromkeys(c.fault for c in own):
            cells = [c for c in own if c.fault == fault]
            named = Counter(c.detail or c.kind for c in cells).most_common()
            right = sum(c.is_right for c in cells)
            words = ", ".join(f"{name} {count}" for name, count in named)
            print(f"| {fault} | {right} of {len(cells)} | {words} |")


def print_wrong(cases: list[Case]) -> None:
    """Print where a cause was named wrong most often."""
    wrong = Counter(
        (c.data, c.fault, c.severity, c.detail or c.kind) for c in cases if not c.is_right
    )
    for words, count in wrong.most_common(40):
        print("wrong:", count, *words, sep=" | ")


if __name__ == "__main__":
    sys.exit(main())
