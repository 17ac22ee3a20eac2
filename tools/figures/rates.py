"""Tables of docs/change-tests.md: how often quiet windows are called changed, and changed ones
seen.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from pipelines.science.calibration import wilson
from tools.figures.results import ABSENT, percent, pool, reach, read, table, together

WORLDS = {
    "independent rows": "independent",
    "each row like the one before": "rows alike",
    "each day like the one before": "days alike",
}
"""As results and as tables name them."""
SIZES, COLUMNS = (50, 200, 1_000, 5_000, 20_000), (1, 10, 50)
RULES = {
    "Evidently's defaults, a column": "Evidently, a column",
    "Evidently's defaults, half of the columns": "Evidently, half",
    "Kolmogorov-Smirnov below 0.05 in a column": "KS 0.05",
    "PSI above 0.1 in a column": "PSI 0.1",
}
SETS, DAYS = ("bike_sharing", "metro_traffic", "hotel_bookings", "flights"), (1, 7, 30)
LEVEL, WHOLE = 0.05, 1_000
"""What is stated, and windows that a cell should have; one of fewer says so."""
ALIKE_DAYS = ("days half of a level like the one before", "days like the one before")
KINDS = ("probabilities", "intervals", "classes", "values")


class Cell(NamedTuple):
    """A share of so many windows, and the most that chance should let it be."""

    share: float
    windows: int

    @property
    def most(self) -> float:
        """A rate of 5 % and three standard errors."""
        return LEVEL + 3 * (LEVEL * (1 - LEVEL) / self.windows) ** 0.5


def quiet(title: str, benchmark: str = "false_alarms", said: str = "called changed") -> Cell | None:
    """Return the cell of this title; None where it was not measured."""
    pattern = re.compile(rf"{re.escape(title)}, ([0-9,]+) windows: {said}")
    for words, share in read(benchmark).items():
        if found := pattern.fullmatch(words):
            return Cell(share, int(found[1].replace(",", "")))
    return None


def quiet_cells(world: str, columns: int) -> dict[int, Cell | None]:
    """Return the cells of a world with so many inputs, by how many rows the window has."""
    return {rows: quiet(f"{world}: {rows:,} x {columns}") for rows in SIZES}


def _write(cell: Cell | None) -> str:
    if cell is None:
        return ABSENT
    return f"{100 * cell.share:.1f}" + ("" if cell.windows >= WHOLE else f" ({cell.windows})")


def false_alarms() -> list[str]:
    """Return our rates in worlds whose truth is known."""
    rows, above, sure = [], 0, []
    for world, words in WORLDS.items():
        for columns in COLUMNS:
            cells = quiet_cells(world, columns)
            there = [cell for cell in cells.values() if cell]
            above += sum(cell.share > cell.most for cell in there)
            all_sizes = together(there).replace(" %", "") if there else ABSENT
            rows.append([words, str(columns), *map(_write, cells.values()), all_sizes])
            if there and wilson(*pool(there))[0] > LEVEL:
                sure.append(f"{words} x {columns}")
    head = ["%, of quiet windows", "inputs", "50 rows", *(f"{n:,}" for n in SIZES[1:])]
    return [
        *table([*head, "all sizes, 95 % interval"], rows),
        "",
        (
            f"In brackets after a size: of so many windows, the others of {WHOLE:,};"
            f" {ABSENT}: not measured."
        ),
        f"Cells above what is asked of so many windows: {above or 'none'}.",
        f"Of all sizes together the interval lies above 5 % for: {', '.join(sure) or 'none'}.",
    ]


def _others(title: str, looked: str) -> list[float | None]:
    figures = read("false_alarms")
    return [figures.get(f"{title}, {looked} windows: {rule}") for rule in RULES]


def other_rules() -> list[str]:
    """Return the rates of fixed rules in the same worlds."""
    rows = []
    for world, words in WORLDS.items():
        for columns in COLUMNS:
            cells = [(f"{world}: {size:,} x {columns}", cell) for size, cell in
                     quiet_cells(world, columns).items() if cell]  # fmt: skip
            found = [_others(title, f"{cell.windows // 5:,}") for title, cell in cells]
            by_rule = [
                [share for share in shares if share is not None]
                for shares in zip(*found, strict=True)
            ]
            ours = reach([cell.share for _, cell in cells])
            rows.append([words, str(columns), ours, *(reach(each) for each in by_rule)])
    return table(["quiet windows", "inputs", "these tests", *RULES.values()], rows)


def real_days() -> list[str]:
    """Return the rates on days drawn at random."""
    rows = []
    for name in SETS:
        titles = [f"{name}: {days} days drawn" for days in DAYS]
        cells = [quiet(title) for title in titles]
        untold = quiet(titles[0], said="nothing can be said")
        found = [_others(t, f"{c.windows // 5:,}") for t, c in zip(titles, cells, strict=True) if c]
        by_rule = [
            [share for share in shares if share is not None] for shares in zip(*found, strict=True)
        ]
        rows.append(
            [
                name,
                ", ".join(_share(cell) for cell in cells),
                _share(untold),
                *(reach(each) for each in by_rule),
            ]
        )
    head = ["days of", "changed: 1, 7, 30 days", "1 day untold", "Evidently, a column", "half"]
    return table([*head, "KS", "PSI"], rows)


def claims() -> list[str]:
    """Return the rates of claims that hold."""
    rows, sums = [], []
    for world, words in WORLDS.items():
        cells: list[Cell] = []
        for size in SIZES[:-1]:
            found = [quiet(f"{world}, {size:,} rows: {kind} that hold", "claims") for kind in KINDS]
            there = [cell for cell in found if cell]
            if there:
                rows.append([words, f"{size:,}", *map(_share, found)])
            cells += there
        most = max(cells, key=lambda cell: cell.share)
        sums.append(f"- {words}: {together(cells)}, {percent(most.share)} at most in one line")
    return [
        *table(["quiet windows", "rows", *KINDS], rows),
        "",
        "All lines of a world together, with the interval of 95 %:",
        "",
        *sums,
    ]


def _share(cell: Cell | None) -> str:
    return ABSENT if cell is None else percent(cell.share)


def few_windows() -> list[str]:
    """Return the worst rates of a short past."""
    rows = []
    for weeks in (4, 12, 20, 52):
        cells = []
        for count in (1, 4, 10):
            title = f"{weeks} weeks, {count} statistic{'s' * (count > 1)}: "
            worst = next(v for k, v in read("few_windows").items() if k.startswith(f"{title}most"))
            above = read("few_windows")[f"{title}kinds of days above that, of 13"]
            cells.append(f"{percent(worst)} ({above:.0f})")
        rows.append([f"{weeks} weeks", *cells])
    head = ["the worst of 13 kinds of days (kinds above 2.9 %)", "1 statistic", "4", "10"]
    return table(head, rows)


def few_windows_seen() -> list[str]:
    """Return how often a short past sees a shift of independent days, and how often it says
    nothing.
    """
    rows = []
    for weeks in (4, 12, 20, 52):
        seen: list[str] = []
        silent: list[list[str]] = []
        for count in (1, 4, 10):
            title = f"{weeks} weeks, {count} statistic{'s' * (count > 1)}: "
            shifted = f"{title}independent days, shifted by"
            great, small = (
                read("few_windows")[f"{shifted} {size} deviations, called changed"]
                for size in ("2.5", "1.5")
            )
            seen.append(f"{100 * great:.0f} ({100 * small:.0f}) %")
            silent.append(
                [
                    ABSENT if share is None else f"{100 * share:.0f}"
                    for share in (
                        read("few_windows").get(f"{title}{days}, nothing can be said")
                        for days in ("independent days", *ALIKE_DAYS)
                    )
                ]
            )
        rows.append([f"{weeks} weeks", *seen, *(f"{', '.join(each)} %" for each in silent)])
    head = ["", "seen: 1 statistic", "4", "10", "untold: 1 statistic", "4", "10"]
    return table(head, rows)
