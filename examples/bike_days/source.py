"""The hourly rentals of Washington's bike sharing in 2011 and 2012 (Fanaee-T 2013, CC BY 4.0).

The file is hour.csv of the UCI Machine Learning Repository's dataset 275.
BIKE_SHARING names a copy of your own.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pandas as pd

if TYPE_CHECKING:
    from datetime import datetime

URL = "https://archive.ics.uci.edu/static/public/275/bike+sharing+dataset.zip"
SHA256 = "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"


HOURS = [f"h{hour:02d}" for hour in range(24)]


def read(start: datetime, end: datetime) -> pd.DataFrame:
    """Return the days in [start, end): the rentals of each hour, and those of casual riders."""
    days = _whole()
    return days[(days["day"] >= start) & (days["day"] < end)]


@lru_cache(maxsize=1)
def _whole() -> pd.DataFrame:
    rows = pd.read_csv(io.BytesIO(_file()), usecols=["dteday", "hr", "casual", "cnt"])
    days = rows.pivot_table(index="dteday", columns="hr", values="cnt", aggfunc="sum")
    # An hour without a rental has no line in the file.
    days = days.reindex(columns=range(24)).fillna(0).astype("int64").set_axis(HOURS, axis=1)
    days["casual"] = rows.groupby("dteday")["casual"].sum()
    return days.reset_index(names="day").assign(day=lambda d: pd.to_datetime(d["day"], utc=True))


def _file() -> bytes:
    own = os.environ.get("BIKE_SHARING")
    data = Path(own).read_bytes() if own else _fetch()
    if hashlib.sha256(data).hexdigest() != SHA256:
        msg = f"{own or URL} holds another file than the one that this example was written for"
        raise ValueError(msg)
    return data


def _fetch() -> bytes:
    """Return the file. An OSError means that it cannot be reached now: it is tried again."""
    try:
        answer = httpx.get(URL, follow_redirects=True, timeout=60).raise_for_status()
    except httpx.HTTPError as error:
        msg = f"{URL}: {error}"
        raise OSError(msg) from error
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return archive.read("hour.csv")
