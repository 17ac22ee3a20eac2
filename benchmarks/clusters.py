"""How often the gate's rule for clusterings is right, at its default floors.

`python -m benchmarks.clusters` from the checkout.

A champion is fitted by k-means on one window of rows, a challenger on the next window with another
seed, and both are judged on later rows, as the gate does: the challenger takes over if it is
proven better by silhouette, or if it is the same clustering (stability of 0.8 at the lower end) and
no worse. Stable worlds have as many groups as are looked for. Unstable ones have none (a cloud in
which k-means cuts as the draw has it); there the challenger is another clustering that is not
better, and should be refused. Where too many groups are looked for, the figure only informs. In
one world the champion looks for too few groups, and the challenger for the right number: it is
another one, and should take over.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.messages import GateCheck
from pipelines.science.bootstrap import compare, spread
from pipelines.science.cluster_metrics import of_space, stability
from pipelines.science.gate.clusters import check_succession
from pipelines.science.gate.facts import Succession
from pipelines.science.metrics import score
from pipelines.science.own_metrics import Measures
from pipelines.spec.gate import Gate

PAIRS = 200
LEARNT, HELD, INPUTS = 600, 300, 4
GATE = Gate.model_validate(
    {"at_least": {"silhouette": 0.3}, "versus_champion": {"metric": "silhouette"}}
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class World:
    """Rows of so many groups, `apart` standard deviations from each other; k of both versions."""

    name: str
    groups: int
    apart: float
    champion: int
    challenger: int
    passes: bool
    """Whether the challenger should take over."""
    asked: bool = True
    """Whether the rule is asked to be right; else the figure only informs."""


WORLDS = (
    World("3 groups far apart, 3 looked for", 3, 8.0, 3, 3, passes=True),
    World("3 groups that touch, 3 looked for", 3, 5.0, 3, 3, passes=True),
    World("no groups, 4 looked for", 1, 0.0, 4, 4, passes=False),
    # Too many clusters may be cut alike each time: then they are the same ones, and the rule, which
    # knows sameness and no meaning, lets them follow. Only whoever chooses the number can tell.
    World("3 groups, 6 looked for", 3, 8.0, 6, 6, passes=False, asked=False),
    World("4 groups, 2 looked for and then 4", 4, 8.0, 2, 4, passes=True),
)
ASKED = 0.9
"""How often the rule is to be right where groups are there, or none are."""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where the rule is right less often than is asked."""
    tiny = is_tiny(__doc__, argv)
    rows: list[Measure] = []
    for world in WORLDS:
        rows += _measure(world, 2 if tiny else PAIRS)
    show("Clusterings that take over", rows)
    if tiny:
        return 0
    write("clusters", rows)
    return int(any(row["asked"] and row["value"] < ASKED for row in rows))


def _measure(world: World, pairs: int) -> list[Measure]:
    found = [_judge(world, seed) for seed in range(pairs)]
    right = float(np.mean([took_over == world.passes for took_over, *_ in found]))
    what = "takes over" if world.passes else "is refused"
    silhouettes, alike = (float(np.median([f[place] for f in found])) for place in (1, 2))
    return [
        {
            "measure": f"{world.name}: the challenger {what}",
            "value": round(right, 3),
            "unit": "of pairs",
            "asked": f">= {ASKED:g}" if world.asked else "",
        },
        {
            "measure": f"{world.name}: silhouette, median",
            "value": round(silhouettes, 3),
            "unit": "",
            "asked": "",
        },
        {
            "measure": f"{world.name}: stability, median",
            "value": round(alike, 3),
            "unit": "",
            "asked": "",
        },
    ]


def _judge(world: World, seed: int) -> tuple[bool, float, float]:
    """Return whether the challenger takes over, its silhouette and its stability."""
    rng = np.random.default_rng(seed)
    centres = world.apart * rng.permutation(np.eye(INPUTS))[: world.groups] / np.sqrt(2)
    old, new, held = (_rows(rng, centres, count) for count in (LEARNT, LEARNT, HELD))
    theirs = _assign(old, held, world.champion, seed)
    ours = _assign(new, held, world.challenger, seed + PAIRS)
    y, groups = np.zeros(HELD), np.arange(HELD)
    space = (held - held.mean(axis=0)) / held.std(axis=0)
    metric = Measures(of_space(["silhouette"], space, seed)).find("silhouette")
    chance: dict[str, Any] = {"groups": groups, "confidence": 0.95, "seed": seed}
    found = compare(metric, y, challenger=ours, opponent=theirs, **chance)
    alike = spread(stability(theirs.argmax(axis=1)), y, ours, **chance)
    better = GateCheck(name="versus champion", passed=found.lower > 0, detail="")
    checks = check_succession(better, Succession(alike, 1.0, 0, ()), found, GATE)
    floor = score(metric, y, ours) >= GATE.at_least["silhouette"]
    return floor and checks[0].passed, found.challenger, alike.value


def _rows(rng: np.random.Generator, centres: Array, count: int) -> Array:
    group = rng.integers(0, len(centres), count)
    found: Array = centres[group] + rng.normal(size=(count, INPUTS))
    return found


def _assign(learnt: Array, held: Array, k: int, seed: int) -> Array:
    """Return the clusters (n, k) of the held-out rows, by k-means as Perennial fits it."""
    from sklearn.cluster import KMeans

    from pipelines.training.estimators import BEGINNINGS

    low, size = learnt.mean(axis=0), learnt.std(axis=0)
    model = KMeans(k, n_init=BEGINNINGS, random_state=seed).fit((learnt - low) / size)
    return np.eye(k)[model.predict((held - low) / size)]


if __name__ == "__main__":
    sys.exit(main())
