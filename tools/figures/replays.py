"""The table of docs/policy.md: what replays say of the default policy, and of one by value."""

from __future__ import annotations

import re

from tools.figures.results import ABSENT, read, table

SETS = {
    "bike_demand": "bike_sharing",
    "hotel_bookings": "hotel_bookings",
    "flight_delays": "flights",
    "metro_traffic": "metro_traffic",
}
"""As results and as tables name them."""
POLICIES = {
    "by change, every 3 batches at most": "the default: by change",
    "by proven value": "by value, `gain: proven`",
}


def replays() -> list[str]:
    """Return by how much each lies above the best schedule in hindsight, and its retrainings."""
    return table(
        ["past", *POLICIES.values()],
        [[words, *(_write(name, policy) for policy in POLICIES)] for name, words in SETS.items()],
    )


def _write(name: str, policy: str) -> str:
    figures = read("replay")
    title = f"{name}, {policy}: "
    above = figures.get(f"{title}error above the best schedule in hindsight")
    asked = re.compile(rf"{re.escape(title)}retrainings of (\d+)")
    counts = [(m[1], n) for words, n in figures.items() if (m := asked.fullmatch(words))]
    if above is None or not counts:
        return ABSENT
    months, count = counts[0]
    return f"+{above:.1f} %, {count:.0f} of {months} months"
