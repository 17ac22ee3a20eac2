"""A candidate as JSON: what a process is told that makes it, and what a bundle keeps of it."""

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


def read_candidate(record: Mapping[str, Any]) -> Candidate:
    """Return the candidate of what `dump_candidate` returned, in its place among its parts."""
    candidate = Candidate.model_validate(record["candidate"])
    parts = [Candidate.model_validate(part) for part in record["parts"]]
    for one in (*parts, candidate):
        one.place(parts, in_time=bool(record["in_time"]))
    return candidate


def keep_candidate(candidate: Candidate) -> dict[str, Any]:
    """Return what is needed to fit a version's candidate again: all but how it was searched."""
    unsearched: dict[str, Any] = {"search": {}, "method": None, "early_stopping": None}
    parts = tuple(part.model_copy(update=unsearched) for part in candidate.parts)
    twin = candidate.model_copy(update=unsearched)
    return {**dump_candidate(twin), "parts": [_fields(part) for part in parts]}


def _fields(candidate: Candidate) -> dict[str, Any]:
    return candidate.model_dump(mode="json", exclude_defaults=True)
