"""What is known of an hour before it begins, and how many bicycles were rented in it."""

from __future__ import annotations

import ibis
from ibis import _

HOUR = 3_600


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per hour: key, event time, inputs, and the target `cnt`.

    The parts of `cnt` (casual, registered) are left out: they are known only with it.
    """
    rows = tables["events"].mutate(
        hour_number=(_.dteday.epoch_seconds() // HOUR + _.hr).cast("int64")
    )
    past = rows.select("hour_number", "cnt")
    day = past.select(hour_number=_.hour_number + 24, rentals_day_before=_.cnt)
    week = past.select(hour_number=_.hour_number + 7 * 24, rentals_week_before=_.cnt)
    joined = (
        rows.left_join(day, "hour_number").drop("hour_number_right").left_join(week, "hour_number")
    )
    return joined.select(
        "instant", "hr", "weekday", "workingday", "holiday", "season", "weathersit", "temp",
        "hum", "windspeed", "rentals_day_before", "rentals_week_before", "cnt",
        hour_start=(_.hour_number * HOUR).as_timestamp("s"),
    )  # fmt: skip
