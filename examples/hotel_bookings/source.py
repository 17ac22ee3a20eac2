"""The bookings of two hotels in Portugal (Antonio, Almeida and Nunes 2019, CC BY 4.0).

The file is the one of https://github.com/rfordatascience/tidytuesday (2020-02-11).
HOTEL_BOOKINGS names a copy of your own, packed or not.
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

URL = (
    "https://raw.githubusercontent.com/rfordatascience/tidytuesday/"
    "2c423bacc57e4632ff8550557e0bc823eefa31ab/data/2020/2020-02-11/hotels.csv"
)
SHA256 = "7c2ae42a7353905ea136e5c2287f17c92c5435826598bfbb8491c6f0c7b1fc06"


def read(start: datetime, end: datetime) -> pd.DataFrame:
    """Return the bookings whose guests were to arrive in [start, end)."""
    rows = _whole()
    return rows[(rows["arrival"] >= start) & (rows["arrival"] < end)]


@lru_cache(maxsize=1)
def _whole() -> pd.DataFrame:
    rows = pd.read_csv(io.BytesIO(_download()), na_values=["NULL"], dtype={"children": "Int64"})
    day = (
        rows["arrival_date_year"].astype(str)
        + rows["arrival_date_month"]
        + rows["arrival_date_day_of_month"].astype(str)
    )
    rows["arrival"] = pd.to_datetime(day, format="%Y%B%d", utc=True)
    # Genuine bookings are alike in every column: their place in the file tells them apart.
    rows["booking"] = [f"{number:06d}" for number in range(len(rows))]
    return rows


def _download() -> bytes:
    own = os.environ.get("HOTEL_BOOKINGS")
    if own is None:
        data = _fetch()
    elif own.endswith(".zip"):
        with zipfile.ZipFile(own) as archive:
            data = archive.read(archive.namelist()[0])
    else:
        data = Path(own).read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        msg = f"{own or URL} is another file than the one that this example was written for"
        raise ValueError(msg)
    return data


def _fetch() -> bytes:
    """Return the download. An OSError means that it cannot be reached now: it is tried again."""
    try:
        return httpx.get(URL, follow_redirects=True, timeout=60).raise_for_status().content
    except httpx.HTTPError as error:
        msg = f"{URL}: {error}; HOTEL_BOOKINGS may name a copy of your own, set before `make up`"
        raise OSError(msg) from error
