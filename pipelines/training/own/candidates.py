"""A candidate of a required package, as it is told to the process that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.spec import Candidate

if TYPE_CHECKING:
    from collections.abc import Mapping


def dump_candidate(candidate: Candidate) -> dict[str, Any]:
    """Return the candidate as JSON, with those that it is made of."""
    return {
        "candidate": _fields(candidate),
        "parts": [_fields(part) for part in candidate.parts],
        "in_time": candidate.in_time,
    }


def read_candidate(told: Mapping[str, Any]) -> Candidate:
    """Return the candidate as it is made where its package can be imported."""
    candidate = Candidate.model_validate(told["candidate"])
    parts = [Candidate.model_validate(part) for part in told["parts"]]
    for one in (*parts, candidate):
        one.place(parts, in_time=bool(told["in_time"]))
    return candidate


def _fields(candidate: Candidate) -> dict[str, Any]:
    return candidate.model_dump(mode="json", exclude_defaults=True)
