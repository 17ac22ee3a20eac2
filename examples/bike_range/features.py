"""What is known of an hour before it begins, and how many bicycles were rented in it."""

from __future__ import annotations

import ibis
from ibis import _

HOUR = 3_600


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per hour: key, event time, inputs, and the target `rented`."""
    rows = tables["events"].mutate(
        number=(_.hour_start.epoch_seconds() // HOUR).cast("int64"), rented=_.cnt
    )
    past = rows.select("number", "rented")
    day = past.select(number=_.number + 24, rented_day_before=_.rented)
    week = past.select(number=_.number + 7 * 24, rented_week_before=_.rented)
    joined = rows.left_join(day, "number").drop("number_right").left_join(week, "number")
    return joined.select(
        "instant", "hour_start", "weekday", "workingday", "holiday", "season", "windspeed",
        "rented_day_before", "rented_week_before", "rented",
        hour=_.hr, weather=_.weathersit, temperature=_.temp, humidity=_.hum,
    )  # fmt: skip
