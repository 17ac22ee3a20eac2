"""What a spec says of a forecast: the series, how far ahead, and which columns are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from pipelines.plain_errors import Problem
from pipelines.refs import Value
from pipelines.series.columns import MadeColumn, Part, SeriesColumns
from pipelines.spec.sources import Identifier
from pipelines.spec.table_options import Zone
from pipelines.spec.units import Duration, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 10_000
"""Steps that one mean may take in: more would cost minutes."""
_MIN_MEAN = 2
SECOND = timedelta(seconds=1)


class Forecast(Value):
    """The series, their step and horizon, and the columns that are made of the target's past.

    Each made column becomes an input behind those of `features.inputs`. None looks closer to a row
    than `horizon` and `target.known_after` together, so what it holds is known when the forecast is
    made.
    """

    series: Annotated[list[Identifier], Field(max_length=9)] = Field(default_factory=list)
    """The columns that together name a series; without any, all rows are one series."""
    step: Duration
    """From one row of a series to the next: 1h, 1d."""
    horizon: Duration
    """How far ahead of a row its forecast is made, at most."""
    season: Duration
    """After how long the series repeats itself: 168h for the hours of a week.

    The value of one season ago is the forecast that a challenger must beat, and an input as well.
    """
    lags: Annotated[list[Duration], Field(max_length=100)] = Field(default_factory=list)
    """How far back the target is seen: `TARGET_lag_1d`."""
    means: Annotated[list[Duration], Field(max_length=20)] = Field(default_factory=list)
    """Over how long the mean of the target is taken that is known by then: `TARGET_mean_1w`."""
    calendar: list[Part] = Field(default_factory=list)
    """Parts of the row's time: hour, weekday (Monday 0), month, yearday; `EVENT_TIME_hour`."""
    timezone: Zone = "UTC"
    """Whose clocks the calendar is of."""

    def columns(self, target: str, event_time: str, known_after: timedelta) -> SeriesColumns:
        """Return the made columns of a target whose values are known so long after the event."""
        gap = self.gap(known_after)
        repeats = -(-gap // self._steps(self.season))
        naive = repeats * self.season
        lags = list(dict.fromkeys([*self.lags, naive]))
        made = [
            *(self._column(f"{target}_lag", "lag", lag) for lag in lags),
            *(self._column(f"{target}_mean", "mean", mean) for mean in self.means),
            *(MadeColumn(name=f"{event_time}_{part}", kind=part) for part in self.calendar),
        ]
        return SeriesColumns(
            step=self.step // SECOND,
            gap=gap,
            columns=made,
            naive=f"{target}_lag_{duration_text(naive)}",
            timezone=self.timezone,
        )

    def gap(self, known_after: timedelta) -> int:
        """Return how many steps before a row the newest value lies that may be seen for it."""
        return -(-(self.horizon + known_after) // self.step)

    def _column(self, stem: str, kind: str, span: timedelta) -> MadeColumn:
        name = f"{stem}_{duration_text(span)}"
        return MadeColumn.model_validate({"name": name, "kind": kind, "steps": self._steps(span)})

    def _steps(self, span: timedelta) -> int:
        return span // self.step


@dataclass(frozen=True)
class WordsOfSeries:
    """All that a spec says of its series, beside the block itself."""

    task: str
    event_time: str | None
    key: list[str]
    target: str
    known_after: timedelta
    built: list[str]
    """The columns that `build` returns."""


def forecast_problems(forecast: Forecast | None, spec: WordsOfSeries) -> list[Problem]:
    """Return what a spec lacks of its series, or says of them although it forecasts nothing."""
    if spec.task != "forecast":
        why = f"belongs to the task forecast, this one is {spec.task}; remove it"
        return [Problem(("forecast",), why)] if forecast is not None else []
    if forecast is None:
        why = "a forecast needs it; write `forecast: {step: 1h, horizon: 24h, season: 168h}`"
        return [Problem(("forecast",), why)]
    if spec.event_time is None:
        why = "a forecast needs it; name the built column with the time of each step"
        return [Problem(("event_time",), why)]
    faults = [*_key_problems(forecast, spec), *_span_problems(forecast)]
    if not faults:
        faults = [*_look_ahead(forecast, spec.known_after), *_name_problems(forecast, spec)]
    return faults


def _key_problems(forecast: Forecast, spec: WordsOfSeries) -> Iterator[Problem]:
    series, time = forecast.series, spec.event_time or ""
    for place, column in enumerate(series):
        if series.index(column) < place:
            yield Problem(("forecast", "series", place), f"{column!r} stands twice; remove one")
        elif column in {time, spec.target}:
            why = f"{column!r} is the event time or the target, which name no series; remove it"
            yield Problem(("forecast", "series", place), why)
    wanted = [*series, time]
    if set(spec.key) != set(wanted):
        lacking = [c for c in wanted if c not in spec.key]
        surplus = [c for c in spec.key if c not in wanted]
        why = (
            f"lacks {', '.join(lacking)}"
            if lacking
            else f"holds {', '.join(surplus)}, so that one step of a series may have several rows"
        )
        yield Problem(
            ("key",),
            f"{why}; a row of a forecast is named by series and time: write"
            f" `key: [{', '.join(wanted)}]`",
        )


def _span_problems(forecast: Forecast) -> Iterator[Problem]:
    """Yield the spans that are no whole steps."""
    step = forecast.step
    if step < SECOND:
        yield Problem(("forecast", "step"), "must be at least 1s")
        return
    spans: dict[tuple[str | int, ...], timedelta] = {
        ("horizon",): forecast.horizon,
        ("season",): forecast.season,
        **{("lags", i): lag for i, lag in enumerate(forecast.lags)},
        **{("means", i): mean for i, mean in enumerate(forecast.means)},
    }
    for path, span in spans.items():
        place = ("forecast", *path)
        if span < step or span % step:
            text = f"{duration_text(span)} is no whole number of steps of {duration_text(step)}"
            yield Problem(place, f"{text}; write a multiple of `step`")
        elif path[0] == "means" and not _MIN_MEAN <= span // step <= LONGEST:
            why = f"a mean takes in from {_MIN_MEAN} to {LONGEST:,} steps, this one"
            yield Problem(place, f"{why} {span // step:,}")
    for name in ("lags", "means", "calendar"):
        values: list[object] = list(getattr(forecast, name))
        for place_, value in enumerate(values):
            if values.index(value) < place_:
                yield Problem(("forecast", name, place_), "stands twice; remove one")


def _look_ahead(forecast: Forecast, known_after: timedelta) -> Iterator[Problem]:
    nearest = forecast.gap(known_after) * forecast.step
    for place, lag in enumerate(forecast.lags):
        if lag < forecast.horizon + known_after:
            why = (
                f"looks {duration_text(lag)} back, but a forecast made"
                f" {duration_text(forecast.horizon)} ahead (horizon) of a target known"
                f" {duration_text(known_after)} after the event (target.known_after) can see"
                f" nothing closer than {duration_text(nearest)}; write that or more, or a shorter"
                " horizon"
            )
            yield Problem(("forecast", "lags", place), why)


def _name_problems(forecast: Forecast, spec: WordsOfSeries) -> Iterator[Problem]:
    if any(True for _ in _look_ahead(forecast, spec.known_after)):
        return
    made = forecast.columns(spec.target, spec.event_time or "", spec.known_after)
    for name in made.names:
        if name in spec.built:
            why = f"makes the column {name!r}, which the spec names too; call the built one else"
            yield Problem(("forecast",), why)
