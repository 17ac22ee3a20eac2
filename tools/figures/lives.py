"""Tables of docs/watching.md: the drift step on quiet weeks and real months, and estimates."""

from __future__ import annotations

import re
from typing import NamedTuple

from tools.figures.results import ABSENT, percent, read, table

CHAMPIONS = ("one champion", "a champion fitted again each week")
QUIET_WORLDS = {
    "independent rows": "independent rows",
    "a rhythm by hour and weekday": "a rhythm by hour and weekday",
    "each day like the one before": "each day like the one before (0.9)",
}
MONTHS = {
    "bike_sharing, second year": "bike_sharing, second year",
    "hotel_bookings, second year": "hotel_bookings, second year",
    "hotel_bookings, later years": "hotel_bookings, third",
    "metro_traffic, second year": "metro_traffic, second year",
    "metro_traffic, later years": "metro_traffic, later years",
}
ESTIMATES = {
    "log_loss of binary": "log_loss",
    "roc_auc of binary": "roc_auc",
    "accuracy of multiclass": "accuracy of three classes",
    "mae of regression": "mae",
}
WINDOWS = ("300 rows in 10 days", "4,500 rows in 30 days")


def lives() -> list[str]:
    """Return how often the drift step called a quiet week changed."""
    rows = []
    for world, words in QUIET_WORLDS.items():
        cells = []
        for champion in CHAMPIONS:
            pattern = re.compile(
                rf"{world}, {champion}, (\d+) weeks in \d+ lives: called drift or broken"
            )
            found = [(m, v) for k, v in read("quiet_lives").items() if (m := pattern.fullmatch(k))]
            match, share = found[0]
            weeks = int(match[1])
            cells.append(f"{percent(share)} ({round(share * weeks)} of {weeks})")
        rows.append([words, *cells])
    return table(["world", "one champion", "one fitted again each week"], rows)


def months() -> list[str]:
    """Return in how many real months something was called changed."""
    rows = []
    for title, words in MONTHS.items():
        figures = read("season")
        count = next(int(m[1]) for k in figures if (m := re.match(rf"{title}, (\d+) months: ", k)))
        cells = [
            f"{figures[f'{title}, {count} months: {what}, {side}'] * count:.0f}"
            for what in ("inputs changed", "changed")
            for side in ("matched", "the whole past", "six months")
        ]
        rows.append([f"{words} ({count})", *cells])
    head = ["months", "inputs, matched", "whole past", "six months"]
    return table([*head, "anything, matched", "whole past", "six months"], rows)


class Told(NamedTuple):
    """How estimates of one line came out: of each size of window, where it was measured."""

    words: str
    held: list[float]
    off: list[float]
    promised: list[float]


def estimates_told() -> list[Told]:
    """Return each line of the simulated worlds."""
    figures, lines = read("before_labels"), []
    pattern = re.compile(rf"(.*), {WINDOWS[0]}: (.*): intervals that hold the truth")
    for match in filter(None, map(pattern.fullmatch, figures)):
        titles = [f"{match[1]}, {window}: {match[2]}: " for window in WINDOWS]
        there = [title for title in titles if f"{title}intervals that hold the truth" in figures]
        change = "nothing" if match[2] == "nothing changes" else match[2]
        lines.append(
            Told(
                f"{ESTIMATES[match[1]]}: {change}",
                *(
                    [figures[title + what] for title in there]
                    for what in (
                        "intervals that hold the truth",
                        "error of the estimate",
                        "error of the promise",
                    )
                ),
            )
        )
    return lines


def estimates() -> list[str]:
    """Return how often intervals held the truth, and how far estimates were off."""
    rows = [
        [
            told.words,
            ", ".join(f"{100 * share:.0f}%" for share in told.held),
            ", ".join(f"{value:.3g}" for value in told.off),
            ", ".join(f"{value:.3g}" for value in told.promised),
        ]
        for told in estimates_told()
    ]
    figures = read("before_labels")
    for name, metric in (("bike_sharing", "mae"), ("hotel_bookings", "roc_auc")):
        title = next(k for k in figures if k.startswith(f"{name}, ")).split(": ")[0]
        said = figures[f"{title}: months with an estimate"]
        whole = title.split(", ")[2].split()[0]
        held = figures.get(f"{title}: intervals that hold the truth")
        off, promised = (
            figures.get(f"{title}: error of the {what}") for what in ("estimate", "promise")
        )
        rows.append(
            [
                f"{metric}, {name}: {said:.0f} of {whole} real months",
                ABSENT if held is None else f"{100 * held:.0f}%",
                *(ABSENT if value is None else f"{value:.3g}" for value in (off, promised)),
            ]
        )
    head = ["window, and what changes", "truth within", "error of estimate", "of promise"]
    return table(head, rows)
