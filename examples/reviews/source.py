"""10,605 sentences of film reviews, each rated by twenty people (Hutto and Gilbert 2014, MIT).

They come with version 0.5 of the package vaderSentiment, in an archive within its archive.
uv finds that on the package index that is set (UV_DEFAULT_INDEX, or PIP_INDEX_URL).
REVIEWS names a copy of that archive of your own.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pandas as pd

PACKAGE = "vaderSentiment==0.5"
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
        msg = f"{own or PACKAGE} is another file than the one that this example was written for"
        raise ValueError(msg)
    return data


def _fetch() -> bytes:
    """Return the download. An OSError means that it cannot be reached now: it is tried again."""
    url = _address()
    try:
        return httpx.get(url, follow_redirects=True, timeout=60).raise_for_status().content
    except httpx.HTTPError as error:
        msg = f"{url}: {error}; REVIEWS may name a copy of your own, set before `make up`"
        raise OSError(msg) from error


def _address() -> str:
    """Return where the index that is set has the archive; nothing is built or installed."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.is_file() else shutil.which("uv") or "uv"
    environ = dict(os.environ)
    if "PIP_INDEX_URL" in environ:
        environ.setdefault("UV_DEFAULT_INDEX", environ["PIP_INDEX_URL"])
    with TemporaryDirectory(prefix="reviews-") as folder:
        done = subprocess.run(
            [uv, "pip", "compile", "--quiet", "--no-deps", "--format", "pylock.toml", "-"],
            input=PACKAGE,
            cwd=folder,
            env={"UV_CACHE_DIR": str(Path(folder) / "cache"), **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if done.returncode:
        msg = f"{PACKAGE} was not found: {done.stderr.strip()}; REVIEWS may name a copy of your own"
        raise OSError(msg)
    [package] = tomllib.loads(done.stdout)["packages"]
    return str(package["sdist"]["url"])
