"""The table of docs/change-tests.md on how often changes are seen."""

from __future__ import annotations

import re

from tools.figures.results import ABSENT, read, table

SCENES = {
    "independent rows, 1,000 rows": "1,000 rows",
    "independent rows, 5,000 rows": "5,000 rows",
    "independent rows, 200 rows": "200 rows",
    "20 days, each row like the one before, 1,000 rows": "rows alike",
    "one day of 200, each day like the one before, 1,000 rows": "days alike",
}
"""As results and as tables name them."""


def seen() -> dict[str, dict[str, tuple[float, int]]]:
    """Return by change and by scene the share of windows in which it is seen, and how many."""
    found: dict[str, dict[str, tuple[float, int]]] = {}
    pattern = re.compile(rf"({'|'.join(map(re.escape, SCENES))}): (.*), ([0-9,]+) windows")
    for words, share in read("power").items():
        if match := pattern.fullmatch(words):
            windows = int(match[3].replace(",", ""))
            found.setdefault(match[2], {})[match[1]] = share, windows
    return found


def power() -> list[str]:
    """Return how often each change is seen, of a hundred windows."""
    rows = [
        [change, *(_write(scenes.get(scene)) for scene in SCENES)]
        for change, scenes in seen().items()
    ]
    return table(["seen in so many of 100 windows", *SCENES.values()], rows)


def _write(cell: tuple[float, int] | None) -> str:
    return ABSENT if cell is None else f"{100 * cell[0]:.0f}"
