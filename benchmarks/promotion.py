"""How many orders of promotions that get in each other's way were looked at, and what came of them.

`python -m benchmarks.promotion` from the checkout.

Every promotion runs the product's own steps on the ports in memory, and may die behind any of its
effects and begin again. With the lock of a model one is at work at a time: all orders are looked
at. Without the lock two may overtake each other for ever: who could go on is held up a bounded
number of times, before any call. An order that ends with two winners, with an alias or a release
that is not the champion's, or with an error that is no named one, ends the benchmark.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from benchmarks.report import Measure, is_tiny, show, write
from tests.unit.deployment.interleavings import Explorer

if TYPE_CHECKING:
    from tests.unit.deployment.held_up import Found

SPACES = {
    "2 promotions, each may die twice": {"rivals": 2, "locked": True, "crashes": 2},
    "2 promotions of the first version": {"rivals": 2, "locked": True, "champion": False},
    "2 promotions, one is refused": {"rivals": 2, "locked": True, "refused": "3"},
    "2 promotions, who dies stays dead": {"rivals": 2, "locked": True, "abandoned": True},
    "3 promotions, each may die once": {"rivals": 3, "locked": True},
    "2 promotions without the lock, held up twice": {"rivals": 2, "crashes": 0, "turns": 2},
    "2 promotions without the lock, held up once, each may die": {"rivals": 2, "turns": 1},
}
TINY = ("2 promotions of the first version", "2 promotions, one is refused")


def main(argv: list[str] | None = None) -> int:
    """Look at every space, print, write."""
    tiny = is_tiny(__doc__, argv)
    rows: list[Measure] = []
    for name in TINY if tiny else SPACES:
        began = time.monotonic()
        rows += _measure(name, Explorer(**SPACES[name]).explore(), time.monotonic() - began)
    show("Promotion", rows)
    if tiny:
        return 0
    write("promotion", rows)
    return int(any(row["asked"] and row["value"] != float(row["asked"]) for row in rows))


def _measure(name: str, found: Found, seconds: float) -> list[Measure]:
    """Return the counts of a space."""
    two = sum(count for ends, count in found.ends.items() if ends.count("won") > 1)
    alive = {ends: count for ends, count in found.ends.items() if "died" not in ends}
    none = sum(count for ends, count in alive.items() if "won" not in ends)
    locked = "without the lock" not in name
    counts = [
        ("orders", float(found.orders), ""),
        ("places that differ", float(found.places), ""),
        ("deaths behind an effect", float(found.crashes), ""),
        ("ends with two winners", float(two), "0"),
        ("ends in which nobody won, though all lived", float(none), "0" if locked else ""),
        ("seconds", round(seconds, 1), ""),
    ]
    return [
        {"measure": f"{name}: {what}", "value": value, "unit": "", "asked": asked}
        for what, value, asked in counts
    ]


if __name__ == "__main__":
    sys.exit(main())
