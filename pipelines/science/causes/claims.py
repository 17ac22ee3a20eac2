"""What a cause says where answers claim what no longer holds (`science.claims`)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.science.causes.cause import Cause

_CANNOT_TELL = "whether that comes with such rows or is another concept cannot be told"


def with_claims(cause: Cause, claims: Sequence[str]) -> Cause:
    """Return the cause with the `claims`, in words, that are less true than they were.

    Where no input has moved, the same rows have other outcomes: another concept. Where other rows
    came, the claims are told, and that it cannot be said which of both they come with. A broken
    pipe explains them.
    """
    if not claims or cause.kind == "broken_upstream":
        return cause
    words = "; ".join(claims)
    if cause.kind == "nothing":
        return replace(cause, kind="concept", evidence=[words, *cause.evidence])
    told = words if cause.kind == "concept" else f"{words}: {_CANNOT_TELL}"
    return replace(cause, evidence=[*cause.evidence, told])
