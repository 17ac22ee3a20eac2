"""Drawings of the trials: score against time, against each parameter, and all of them together."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from pipelines.comparison.scales import Scale, scale_of
from pipelines.comparison.svg import Plot, colour, svg, text
from pipelines.profiling.words import short
from pipelines.science.metrics import better_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.comparison.trials import Trial

MOST_AXES = 8
MOST_DRAWN = 400
"""Trials that a drawing holds, evenly spread over their ranks, the best among them."""
_SIDE, _TOP, _BOTTOM = 70, 40, 24


def against_seconds(trials: Sequence[Trial], metric: str) -> str:
    """Return the score of every trial against the seconds of one fit; a colour per candidate."""
    drawn = best_spread(trials, metric)
    if not drawn:
        return ""
    x = scale_of([max(t.seconds, 1e-4) for t in drawn], may_log=True)
    y = scale_of([t.score for t in drawn if t.score is not None], margin=0.08)
    plot = Plot(
        x, y, x_title="seconds of one fit", y_title=f"{metric}, folds", width=460, height=250
    )
    names = list(dict.fromkeys(t.candidate for t in trials))
    for trial in drawn:
        if trial.score is not None:
            fill = candidate_colour(names.index(trial.candidate))
            size = 5.5 if trial.chosen else 3.2
            tone = "dot chosen" if trial.chosen else "dot"
            plot.dot(
                max(trial.seconds, 1e-4),
                trial.score,
                _words(trial),
                fill=fill,
                size=size,
                tone=tone,
            )
    return plot.render(f"{metric} against seconds of {len(drawn)} trials")


def candidate_colour(place: int) -> str:
    """Return the colour of the candidate at a place of the list."""
    colours = (
        "#4f7fc4",
        "#d0762a",
        "#3f9b6b",
        "#a45bb5",
        "#b8475a",
        "#7d7f2b",
        "#3c9fb0",
        "#8a6a4f",
    )
    return colours[place % len(colours)]


def against_parameter(trials: Sequence[Trial], name: str, metric: str) -> str:
    """Return the score of a candidate's trials against one of its parameters."""
    drawn = [t for t in best_spread(trials, metric) if name in t.params and t.score is not None]
    if not drawn:
        return ""
    axis = axis_of([t.params[name] for t in drawn])
    ends = [s for t in drawn if t.chosen for s in _ends(t)]
    y = scale_of([*(t.score for t in drawn if t.score is not None), *ends], margin=0.1)
    plot = Plot(axis.scale, y, x_title=name, y_title=metric, width=300, height=190)
    for trial in drawn:
        at = axis.place(trial.params[name])
        if trial.score is not None:
            if trial.chosen and (reach := _ends(trial)):
                plot.bar(at, *reach)
            tone = "dot chosen" if trial.chosen else "dot soft"
            plot.dot(at, trial.score, _words(trial), size=5 if trial.chosen else 3.2, tone=tone)
    return plot.render(f"{metric} against {name}")


def parallel_coordinates(trials: Sequence[Trial], metric: str) -> str:
    """Return a candidate's trials as lines across its parameters to their score.

    The better the score, the warmer the colour; the best lie above.
    """
    drawn = [t for t in best_spread(trials, metric) if t.score is not None]
    names = list(dict.fromkeys(n for t in drawn for n in t.params))[:MOST_AXES]
    if len(drawn) < 2 or not names:  # noqa: PLR2004 -- one line compares nothing
        return ""
    axes = [axis_of([t.params.get(n) for t in drawn]) for n in names]
    axes += [axis_of([t.seconds for t in drawn]), axis_of([t.score for t in drawn])]
    titles = [*names, "seconds", metric]
    width, height = max(420, 130 * len(axes) + 40), 260
    floor, step = height - _BOTTOM, (width - 2 * _SIDE) / (len(axes) - 1)
    parts = []
    for rank, trial in enumerate(drawn):
        values = [*(trial.params.get(n) for n in names), trial.seconds, trial.score]
        places = " ".join(
            f"{_SIDE + i * step:.1f},{floor - axis.share(v) * (floor - _TOP):.1f}"
            for i, (axis, v) in enumerate(zip(axes, values, strict=True))
        )
        share = rank / (len(drawn) - 1)
        tone = "trial chosen" if trial.chosen else "trial"
        parts.append(
            f'<polyline class="{tone}" style="stroke:{colour(share)}" points="{places}">'
            f"<title>{escape(_words(trial))}</title></polyline>"
        )
    for i, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        x = _SIDE + i * step
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{floor}"/>')
        parts.append(text(x, _TOP - 18, short(title, 18), anchor="middle", tone="title"))
        for value, words in axis.scale.ticks():
            y = floor - axis.scale.share(value) * (floor - _TOP)
            parts.append(text(x + 5, y + 4, short(words, 14), tone="say halo"))
    return svg(width, height, parts, f"{len(drawn)} trials across {', '.join(titles)}")


class Axis:
    """An axis for the values of one parameter: numbers by size, all others by name."""

    def __init__(self, values: Sequence[Any]) -> None:
        """Find the axis that holds the values."""
        self._numeric = all(_is_number(v) for v in values)
        if self._numeric:
            self.scale = scale_of([float(v) for v in values], may_log=True)
            return
        self._names = list(dict.fromkeys(_plain(v) for v in values))
        room = 0.4 if len(self._names) > 1 else 1.0
        self.scale = Scale(-room, len(self._names) - 1 + room, names=tuple(self._names))

    def place(self, value: Any) -> float:
        """Return a value's place on the scale."""
        return float(value) if self._numeric else float(self._names.index(_plain(value)))

    def share(self, value: Any) -> float:
        """Return where a value lies, from 0 to 1."""
        return self.scale.share(self.place(value))


def axis_of(values: Sequence[Any]) -> Axis:
    """Return the axis of a parameter's values."""
    return Axis(values)


def best_spread(trials: Sequence[Trial], metric: str) -> list[Trial]:
    """Return the trials that are drawn, the worst first, those with a score alone."""
    scored = [t for t in trials if t.score is not None]
    scored.sort(key=lambda t: (t.chosen, float(better_by(metric, t.score or 0.0, 0.0))))
    if len(scored) <= MOST_DRAWN:
        return scored
    step = (len(scored) - 1) / (MOST_DRAWN - 1)
    return [scored[round(i * step)] for i in range(MOST_DRAWN)]


def parameter_text(value: Any) -> str:
    """Return a parameter's value as it is read."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _ends(trial: Trial) -> list[float]:
    """Return the score less and plus its standard deviation over the folds."""
    if trial.score is None or not trial.spread:
        return []
    return [trial.score - trial.spread, trial.score + trial.spread]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: Any) -> str:
    return "not there" if value is None else short(parameter_text(value), 40)


def _words(trial: Trial) -> str:
    """Return a trial in words, for whoever rests the mouse on it."""
    params = ", ".join(f"{short(n, 40)} {_plain(v)}" for n, v in list(trial.params.items())[:12])
    score = "no score" if trial.score is None else f"{trial.score:.4g}"
    around = f" ± {trial.spread:.2g}" if trial.spread is not None else ""
    chosen = "; the candidate's choice" if trial.chosen else ""
    setting = f"({params or 'no search'}){chosen}"
    return f"{trial.candidate}: {score}{around} in {trial.seconds:.3g} s {setting}"
