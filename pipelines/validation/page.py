"""The HTML page of a validation.

It is self-contained, and escapes everything: values in data may be hostile.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.templates import fill

if TYPE_CHECKING:
    from collections.abc import Sequence

_TEMPLATE = Path(__file__).with_name("page.html")


def render(title: str, batches: Sequence[dict[str, Any]]) -> str:
    """Return the page.

    Each batch has name, version, rows, problem, critical, warnings, findings, and as `bad` a list
    with table, columns, rows, count.
    """
    return fill(
        _TEMPLATE,
        title=title,
        batches=batches,
        broken=sum(bool(b["critical"]) for b in batches),
        warned=sum(bool(b["warnings"]) for b in batches),
    )
