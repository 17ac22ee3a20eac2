"""Which tables documents have of what was measured, and where they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools.figures import decisions, effects, lives, power, rates, replays

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = tuple(DOCS / f"{name}.md" for name in ("watching", "change-tests", "policy", "causes"))
TABLES: dict[str, Callable[[], list[str]]] = {
    "quiet lives": lives.lives,
    "real months": lives.months,
    "estimates": lives.estimates,
    "effects": effects.effects,
    "decisions": decisions.decisions,
    "false alarms": rates.false_alarms,
    "other rules": rates.other_rules,
    "real days": rates.real_days,
    "claims": rates.claims,
    "few weeks": rates.few_windows,
    "few weeks, seen": rates.few_windows_seen,
    "power": power.power,
    "replays": replays.replays,
}
"""By name what makes the lines."""
_BLOCK = re.compile(r"(<!-- figures: (.+?) -->\n)(.*?)(<!-- end of figures -->)", re.DOTALL)


def fill(text: str) -> str:
    """Return the page with its tables as they are by now. KeyError for a table of no such name."""
    return _BLOCK.sub(lambda m: f"{m[1]}\n" + "\n".join(TABLES[m[2]]()) + f"\n\n{m[4]}", text)


def named(text: str) -> list[str]:
    """Return the names of the tables of a page."""
    return [match[2] for match in _BLOCK.finditer(text)]
