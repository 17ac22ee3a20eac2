"""The table of docs/causes.md: how often the interval of an effect holds the truth."""

from __future__ import annotations

from tools.figures.results import ABSENT, read, table

SIZES = ("300 rows in 10 days", "3,000 rows in 30 days")
KINDS = {
    "independent rows": "independent rows",
    "a day's rows share a level": "a day's rows share a level",
    "days half like the one before": "half like the one before (0.5)",
    "days rather like the one before": "rather like it (0.7)",
    "days much like the one before": "much like it (0.9)",
    "days much like the one before, a month after the past": "much like it, a month after the past",
    "a weak level that outlasts the past": "a weak level that outlasts the past",
}
WHATS = ("measured on labels", "a bias measured on labels", "expected before labels")
HOLD, UNTOLD, WIDTH = "95 % intervals that hold the truth", "cannot be said", "width (median)"


def effects() -> list[str]:
    """Return of each kind of days how many of the told intervals held, and how many were untold."""
    rows = []
    for kind, words in KINDS.items():
        held = [_pair(kind, what, HOLD) for what in WHATS]
        rows.append([words, *held, _pair(kind, WHATS[0], UNTOLD), _times(kind)])
    return table(
        ["days", "loss on labels", "bias on labels", "loss before labels", "untold", "wider"], rows
    )


def _values(kind: str, what: str, of: str) -> list[float]:
    figures = read("effects")
    keys = (f"{size}: {kind}: {what}, {of}" for size in SIZES)
    return [figures[key] for key in keys if key in figures]


def _pair(kind: str, what: str, of: str) -> str:
    return ", ".join(f"{100 * value:.0f}%" for value in _values(kind, what, of)) or ABSENT


def _times(kind: str) -> str:
    return ", ".join(f"{value:.2f}" for value in _values(kind, WHATS[0], WIDTH)) or ABSENT
