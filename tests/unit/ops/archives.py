"""Archives as tests look into them."""

from __future__ import annotations

import tarfile


def quiet(_text):
    """Say nothing."""


def members(tar):
    with tarfile.open(tar) as opened:
        return opened.getmembers()
