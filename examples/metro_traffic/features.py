"""What is known of an hour on Interstate 94 a day before it, and how many cars it then had."""

from __future__ import annotations

import ibis
from ibis import _

AGO = 25 * 3_600
"""Seconds: the horizon, and the hour after which a measurement is there."""
COLDEST, WETTEST = 200, 100
"""Kelvin and millimetres beyond which nothing is weather."""


def build(tables: dict[str, ibis.Table]) -> ibis.Table:
    """Return one row per hour: key and time, the holiday, the weather of a day before, the cars.

    The weather of the hour itself is left out: nobody knows it a day ahead. 0 kelvin and 9,831 mm
    of rain are no weather.
    """
    rows = tables["events"].select(
        "traffic_volume",
        "clouds_all",
        second=_.hour.epoch_seconds(),
        temp=ibis.ifelse(_.temp > COLDEST, _.temp, None),
        rain=ibis.ifelse(_.rain_1h < WETTEST, _.rain_1h, None),
        # The file names a holiday in its first hour only.
        holiday=(_.holiday != "None").max().over(group_by=_.day),
    )
    before = rows.select(
        second=_.second + AGO, temp_before=_.temp, rain_before=_.rain, clouds_before=_.clouds_all
    )
    return rows.left_join(before, "second").select(
        "holiday", "temp_before", "rain_before", "clouds_before", "traffic_volume",
        hour=_.second.as_timestamp("s"),
    )  # fmt: skip
