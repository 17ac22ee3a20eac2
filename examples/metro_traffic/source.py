"""Cars on Interstate 94 between Minneapolis and Saint Paul, hour by hour (UCI 492, CC BY 4.0).

By J. Hogue (2019), https://doi.org/10.24432/C5X60B. METRO_TRAFFIC names a copy of your own.
"""

from __future__ import annotations

import gzip
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

URL = "https://archive.ics.uci.edu/static/public/492/metro+interstate+traffic+volume.zip"
SHA256 = "3ec6b8844c4e5e20904855c81079a30e4342da20b7010e78606a244e539f29f6"
"""Of the CSV."""


def read(start: datetime, end: datetime) -> pd.DataFrame:
    """Return the rows of the hours in [start, end)."""
    rows = _whole()
    return rows[(rows["hour"] >= start) & (rows["hour"] < end)]


@lru_cache(maxsize=1)
def _whole() -> pd.DataFrame:
    rows = pd.read_csv(io.BytesIO(_table()), keep_default_na=False)
    local = pd.to_datetime(rows["date_time"])
    # The file's clock is Minneapolis's. Of the hour that autumn doubles it has one, taken as the
    # first; hours that spring leaves out are not there.
    hour = local.dt.tz_localize("America/Chicago", ambiguous=True, nonexistent="NaT")
    rows["hour"] = hour.dt.tz_convert("UTC")
    rows["day"] = local.dt.strftime("%Y-%m-%d")
    # An hour with several weathers is there once for each; its cars are the same.
    return rows[hour.notna()].drop_duplicates("hour")


def _table() -> bytes:
    own = os.environ.get("METRO_TRAFFIC")
    data = _unpack(_fetch() if own is None else Path(own).read_bytes())
    if hashlib.sha256(data).hexdigest() != SHA256:
        msg = f"{own or URL} is another file than the one that this example was written for"
        raise ValueError(msg)
    return data


def _unpack(data: bytes) -> bytes:
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read(archive.namelist()[0])
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _fetch() -> bytes:
    """Return the download. An OSError means that it cannot be reached now: it is tried again."""
    try:
        return httpx.get(URL, follow_redirects=True, timeout=60).raise_for_status().content
    except httpx.HTTPError as error:
        msg = f"{URL}: {error}"
        raise OSError(msg) from error
