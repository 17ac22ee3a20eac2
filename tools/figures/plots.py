"""Drawings of what was measured, for docs/watching.md.

Each file says in its description which figures it was drawn from, so that a test knows an old one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.science.calibration import wilson
from tools.figures.lives import estimates_told
from tools.figures.pages import DOCS
from tools.figures.power import SCENES, seen
from tools.figures.rates import COLUMNS, LEVEL, RULES, SIZES, WORLDS, quiet_cells
from tools.figures.results import read

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGES = DOCS / "images"
_COLOURS = ("#1b6ca8", "#c8641e", "#3f8f3f", "#7d4fa0", "#777777")
_MARKS = ("o", "s", "^", "D", "v")
_WORLDS_OF_ESTIMATES = 100
"""Worlds in each line of `benchmarks.before_labels`."""


class Plot(NamedTuple):
    """A drawing: what it is drawn from, and what draws that."""

    figures: Callable[[], Any]
    draw: Callable[[Any, Any], None]


def _rates() -> Any:
    ours = {
        world: {n: {size: cell for size, cell in quiet_cells(world, n).items() if cell}
                for n in COLUMNS}
        for world in WORLDS
    }  # fmt: skip
    theirs = {
        world: {
            rule: {
                size: read("false_alarms").get(
                    f"{world}: {size:,} x 10, {cell.windows // 5:,} windows: {rule}"
                )
                for size, cell in ours[world][10].items()
            }
            for rule in RULES
        }
        for world in WORLDS
    }
    return [ours, theirs]


def _draw_rates(figure: Any, figures: Any) -> None:
    ours, theirs = figures
    figure.set_size_inches(10, 6)
    axes = figure.subplots(2, 3, sharex=True, sharey="row")
    for place, (world, words) in enumerate(WORLDS.items()):
        upper, lower = axes[0][place], axes[1][place]
        for number, columns in enumerate(COLUMNS):
            label = f"{columns} input{'s' * (columns > 1)}"
            points = [(n, share, wilson(round(share * w), w))
                      for n, (share, w) in ours[world][columns].items()]  # fmt: skip
            _dots(upper, [(SIZES.index(n) + 0.2 * (number - 1), 100 * share, low, high)
                          for n, share, (low, high) in points], number, label)  # fmt: skip
        upper.axhline(100 * LEVEL, color="black", linewidth=0.8, linestyle="--")
        upper.set_title(words)
        shares = {n: share for n, (share, _) in ours[world][10].items()}
        others = [(RULES[rule], found) for rule, found in theirs[world].items()]
        for number, (name, found) in enumerate([("these tests", shares), *others]):
            known = [(SIZES.index(n), 100 * v) for n, v in found.items() if v is not None]
            lower.plot(
                [x for x, _ in known], [y for _, y in known], color=_COLOURS[number],
                marker=_MARKS[number], markersize=4, linewidth=1, label=name,
            )  # fmt: skip
        lower.set_xticks(range(len(SIZES)), [f"{n:,}" for n in SIZES])
        lower.set_xlabel("rows of the window")
    axes[0][0].set_ylabel("called changed, %\n(with 95 % intervals)")
    axes[1][0].set_ylabel("called changed, %\n(10 inputs)")
    axes[0][0].set_ylim(0, None)
    axes[0][0].legend(fontsize=8, frameon=False, loc="upper right")
    axes[1][0].legend(fontsize=7, frameon=False, loc="upper right")


def _dots(
    axes: Any, points: list[tuple[float, float, float, float]], number: int, label: str
) -> None:
    """Draw values with the ends of their intervals, these as shares."""
    for x, y, low, high in points:
        axes.plot([x, x], [100 * low, 100 * high], color=_COLOURS[number], linewidth=1)
        axes.plot(x, y, _MARKS[number], color=_COLOURS[number], markersize=4)
    axes.plot([], [], _MARKS[number], color=_COLOURS[number], markersize=4, label=label)


def _draw_power(figure: Any, figures: Any) -> None:
    figure.set_size_inches(9, 8)
    axes = figure.subplots()
    changes = list(figures)[::-1]
    for number, (scene, words) in enumerate(SCENES.items()):
        for place, change in enumerate(changes):
            if scene not in figures[change]:
                continue
            share, windows = figures[change][scene]
            low, high = wilson(round(share * windows), windows)
            y = place + 0.15 * (2 - number)
            axes.plot([100 * low, 100 * high], [y, y], color=_COLOURS[number], linewidth=1)
            axes.plot(100 * share, y, _MARKS[number], color=_COLOURS[number], markersize=4)
        axes.plot([], [], _MARKS[number], color=_COLOURS[number], markersize=4, label=words)
    axes.set_yticks(range(len(changes)), changes, fontsize=8)
    axes.set_xlim(-1, 101)
    axes.set_xlabel("windows in which the change is seen, % (with 95 % intervals)")
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.4, 1.06), ncols=5)


def _draw_estimates(figure: Any, figures: Any) -> None:
    figure.set_size_inches(9, 5)
    axes = figure.subplots()
    lines = figures[::-1]
    for number, words in enumerate(("300 rows in 10 days", "4,500 rows in 30 days")):
        for place, line in enumerate(lines):
            if number < len(line[1]):
                share = line[1][number]
                hits = round(share * _WORLDS_OF_ESTIMATES)
                low, high = wilson(hits, _WORLDS_OF_ESTIMATES)
                y = place + 0.2 * (0.5 - number)
                axes.plot([100 * low, 100 * high], [y, y], color=_COLOURS[number], linewidth=1)
                axes.plot(100 * share, y, _MARKS[number], color=_COLOURS[number], markersize=4)
        axes.plot([], [], _MARKS[number], color=_COLOURS[number], markersize=4, label=words)
    axes.axvline(95, color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(lines)), [line[0] for line in lines], fontsize=8)
    axes.set_xlim(50, 101)
    axes.set_xlabel("windows whose truth lay within the interval, % (with 95 % intervals)")
    axes.legend(fontsize=8, frameon=False, loc="lower left")


PLOTS = {
    "watching-rates": Plot(_rates, _draw_rates),
    "watching-power": Plot(seen, _draw_power),
    "watching-estimates": Plot(estimates_told, _draw_estimates),
}


def fingerprint(name: str) -> str:
    """Return what a drawing's file says of the figures that it was drawn from."""
    written = json.dumps(PLOTS[name].figures(), sort_keys=True)
    return f"figures {hashlib.sha256(written.encode()).hexdigest()[:16]}"


def draw(name: str) -> None:
    """Write a drawing, the same of the same figures."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    plain = {"svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9,
             "axes.spines.top": False, "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(plain):
        figure = Figure(layout="constrained", facecolor="white")
        PLOTS[name].draw(figure, PLOTS[name].figures())
        about = {"Date": None, "Creator": None, "Description": fingerprint(name)}
        figure.savefig(IMAGES / f"{name}.svg", format="svg", metadata=about)
