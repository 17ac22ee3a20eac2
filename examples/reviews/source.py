"""10,605 sentences of film reviews, each rated by twenty people (Hutto and Gilbert 2014, MIT).

They come with version 0.5 of the package vaderSentiment, in an archive within its archive.
REVIEWS names a copy of that archive of your own.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import httpx
import pandas as pd

URL = (
    "https://files.pythonhosted.org/packages/ab/3c/"
    "8c63fad2e90fb7f60fb2a15d91edcef2659ba5fe18b728a59087f7a412e0/vaderSentiment-0.5.zip"
)
SHA256 = "5d97c37f3ef6e24eef331122e055dbedafeb6a56abfce0608b326701116ea49a"
INNER = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
SENTENCES = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def read() -> pd.DataFrame:
    """Return each sentence with its number and its mean rating, from -4 to 4."""
    with zipfile.ZipFile(io.BytesIO(_download())) as archive:
        inner = archive.read(INNER)
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        file = archive.extractfile(SENTENCES)
        if file is None:
            msg = f"{SENTENCES} is no file"
            raise ValueError(msg)
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    fields = [line.split("\t", 2) for line in lines if line.strip()]
    rows = pd.DataFrame(fields, columns=["sentence", "rating", "text"])
    return rows.astype({"rating": float})


def _download() -> bytes:
    own = os.environ.get("REVIEWS")
    data = _fetch() if own is None else Path(own).read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        msg = f"{own or URL} is another file than the one that this example was written for"
        raise ValueError(msg)
    return data


def _fetch() -> bytes:
    """Return the download. An OSError means that it cannot be reached now: it is tried again."""
    try:
        return httpx.get(URL, follow_redirects=True, timeout=60).raise_for_status().content
    except httpx.HTTPError as error:
        msg = f"{URL}: {error}"
        raise OSError(msg) from error
