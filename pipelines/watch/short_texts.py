"""Texts made to fit into a result, which travels in a few kilobytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def fit_within(texts: Iterable[str], limit: int) -> list[str]:
    """Return the first texts that fit into `limit` bytes as JSON."""
    head: list[str] = []
    for text in texts:
        limit -= _size(text) + 2
        if limit < 0:
            break
        head.append(text)
    return head


def shorten(texts: list[str], limit: int) -> list[str]:
    """Return the texts so that they fit into about `limit` bytes as JSON.

    What is left out is told.
    """
    short_texts = [
        t if _size(t) <= limit // 4 else t[: limit // 24] + "…" for t in texts
    ]  # escaped, a character takes up to six bytes
    head = fit_within(short_texts, limit)
    return (
        head
        if len(head) == len(texts)
        else [*head, f"… and {len(texts) - len(head)} more; the page shows all"]
    )


def cut(text: str, limit: int) -> str:
    """Return the text, or its beginning, so that it has about `limit` bytes as JSON at most."""
    return text if _size(text) <= limit else f"{text[: limit // 6]}…"


def _size(text: str) -> int:
    return len(json.dumps(text))
