"""What is known of a flight at its scheduled departure, and whether it came in late."""

from __future__ import annotations

import ibis
from ibis import _

HOUR = 3_600
DAY = 24 * HOUR
LATE = 15
"""Minutes after schedule from which a departure or an arrival counts as late."""


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per flight.

    Key, event time, inputs, and the target `late` (null where it never arrived).
    """
    flights = tables["flights"].mutate(epoch=_.scheduled_departure.epoch_seconds())
    flights = flights.mutate(
        hour_bucket=(_.epoch // HOUR).cast("int64"), day_bucket=(_.epoch // DAY).cast("int64")
    )
    planes = tables["planes"].select("tailnum", "seats", built=_.year)
    rows = flights.left_join(planes, "tailnum").drop("tailnum_right")
    rows = _with(rows, _weather_before(tables["weather"]), ["origin", "hour_bucket"])
    rows = _with(rows, _origin_lateness(flights), ["origin", "hour_bucket"])
    rows = _with(rows, _carrier_lateness(flights), ["carrier", "day_bucket"])
    return rows.select(
        "flight_id", "scheduled_departure", "origin", "dest", "carrier", "hour", "distance",
        "seats", "temp", "wind_speed", "visib", "precip", "pressure",
        "origin_traffic", "origin_late_share", "carrier_late_share",
        weekday=_.scheduled_departure.day_of_week.index(),
        plane_age=_.scheduled_departure.year() - _.built,
        late=_.arr_delay > LATE,
    )  # fmt: skip


def _with(rows: ibis.Table, facts: ibis.Table, keys: list[str]) -> ibis.Table:
    return rows.left_join(facts, keys).drop(*[f"{k}_right" for k in keys])


def _weather_before(weather: ibis.Table) -> ibis.Table:
    """The newest observation that was out when the flight's hour began: that of the hour before."""
    before = weather.mutate(hour_bucket=(_.observed_at.epoch_seconds() // HOUR).cast("int64") + 1)
    return before.select(
        "origin", "hour_bucket", "temp", "wind_speed", "visib", "precip", "pressure"
    )


def _origin_lateness(flights: ibis.Table) -> ibis.Table:
    """By origin and hour: how many left in the hour before, and the share of late ones among those
    scheduled 2 to 6 hours before.

    Known in time: the hour before is over, and whether a flight left within 15 minutes of its
    schedule is settled 15 minutes after it, an hour before the nearest flight that uses it. A
    flight that never left counts as late, which could be seen too.
    """
    # Ibis' name for SQL's COALESCE.
    not_left = ~(_.dep_delay <= LATE).fill_null(False)  # noqa: FBT003
    hours = flights.group_by(["origin", "hour_bucket"]).agg(
        departures=_.count(), late_departures=not_left.sum()
    )
    before = ibis.window(group_by="origin", order_by="hour_bucket", range=(-1, -1))
    window = ibis.window(group_by="origin", order_by="hour_bucket", range=(-6, -2))
    return hours.select(
        "origin",
        "hour_bucket",
        origin_traffic=_.departures.sum().over(before),
        origin_late_share=_.late_departures.sum().over(window) / _.departures.sum().over(window),
    )


def _carrier_lateness(flights: ibis.Table) -> ibis.Table:
    """By carrier and day: the share of flights not in on time among those scheduled 2 to 7 days
    before.

    Known in time: a flight scheduled two calendar days ago (UTC) was due in more than twelve hours
    ago.
    """
    not_in = ~(_.arr_delay <= LATE).fill_null(False)  # noqa: FBT003 -- likewise
    days = flights.group_by(["carrier", "day_bucket"]).agg(
        flown=_.count(), late_arrivals=not_in.sum()
    )
    window = ibis.window(group_by="carrier", order_by="day_bucket", range=(-7, -2))
    return days.select(
        "carrier",
        "day_bucket",
        carrier_late_share=_.late_arrivals.sum().over(window) / _.flown.sum().over(window),
    )
