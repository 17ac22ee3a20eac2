"""Evidently's page as it may be kept.

The same bytes for the same data, nothing on it that contradicts the verdict.

Evidently knows nothing of missing values, of predictions' weight or of labels, and says "Dataset
Drift is NOT detected" where too few inputs have drifted. So its heading is replaced by what the
page compares, and the verdict stands above it.
"""

from __future__ import annotations

import base64
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipelines.store.page_parts import put_page
from pipelines.templates import fill
from pipelines.verdicts.words import plain

if TYPE_CHECKING:
    from pipelines.science.drift import Decision
    from pipelines.store.page_parts import PageRef
    from pipelines.store.port import Store

_UUID = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=metric_)[0-9a-f]{32}"
)
_HEX = 32
_HEADING = re.compile(rb'"value": "Dataset Drift", "label": "Dataset Drift is [^"]*"')
_COLUMNS = (
    b"Each input and the predictions by themselves. The verdict on the window also looks at missing"
    b" values and labels."
)
_BANNER = Path(__file__).with_name("evidently_banner.html")
_TONES = {
    "no_drift": "#17803d",
    "drift": "#b45309",
    "alarm": "#c81e1e",
    "not_enough_data": "#4b5563",
}


def number_names(page: bytes) -> bytes:
    """Return the page with its random names numbered, so that the same data give the same bytes,
    and its heading replaced.
    """
    names: dict[bytes, bytes] = {}
    page = _HEADING.sub(b'"value": "Column by column", "label": "%s"' % _COLUMNS, page)
    return _UUID.sub(
        lambda m: names.setdefault(
            m[0], b"%032x" % len(names) if len(m[0]) == _HEX else _number(len(names))
        ),
        page,
    )


def programs() -> list[bytes]:
    """Return what every page of the installed Evidently has in common: its script and its font.

    What cannot be found, or is written in another way, is kept with each page.
    """
    spec = find_spec("evidently")
    places = spec.submodule_search_locations if spec is not None else None
    folder = Path(next(iter(places or ["."]))) / "nbextension" / "static"
    script, font = folder / "index.js", folder / "material-ui-icons.woff2"
    found = [script.read_text("utf-8").encode()] if script.is_file() else []
    return found + ([base64.b64encode(font.read_bytes())] if font.is_file() else [])


def add_verdict(page: bytes, decision: Decision, *, run: str) -> bytes:
    """Return the page below the verdict and its reasons, with a link to the page of the check."""
    banner = fill(
        _BANNER,
        verdict=plain(decision.verdict).capitalize(),
        tone=_TONES[decision.verdict],
        reasons=decision.reasons,
        href=f"../drift/{quote(run, safe='')}",
    )
    before, body, after = page.partition(b"<body>")
    return before + body + banner.encode() + after


def keep_page(store: Store, page: bytes, decision: Decision, run: str) -> PageRef:
    """Store a look's page below its verdict, and what all pages have in common by itself."""
    return put_page(store, add_verdict(page, decision, run=run), programs())


def _number(number: int) -> bytes:
    return b"00000000-0000-7000-8000-%012x" % number
