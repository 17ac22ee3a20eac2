"""What a training is known by, and where a search that is killed leaves what it has found."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.refs import digest
from pipelines.spec.automl import why_skipped

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.context import Context
    from pipelines.messages import FeaturesResult
    from pipelines.spec import Candidate, Spec
    from pipelines.training.search import Board

SEARCHES = "searches"
"""Its name within the state, and the folder of the store's entries in which workers see each
other's trials.
"""
KEPT = 14 * 86_400.0
"""Seconds after which a search is removed though nobody resumed it."""


def named_candidate(spec: Spec, name: str) -> Candidate:
    """Return the candidate of that name. Raises RequestError where there is none."""
    try:
        return spec.candidate(name)
    except KeyError as error:
        raise RequestError(
            f"{spec.name} has no candidate {name!r}.",
            remedy=f"one of {[c.name for c in spec.candidates]}.",
        ) from error


def training_key(context: Context, run: str, candidate: Candidate, features: FeaturesResult) -> str:
    """Return the hash of all that a candidate's training follows from."""
    spec = context.spec
    return digest(
        run,
        candidate,
        *candidate.parts,
        features.version,
        features.plan,
        iso(features.as_of),
        context.code,
        spec.train,
        *([spec.target.positive] if spec.target.positive is not None else []),
        *([spec.quantiles] if spec.quantiles else []),
        *([spec.search] if spec.search.parallel > 1 else []),
        *([features.most_rows] if features.most_rows else []),
    )


def why_not_trained(spec: Spec, candidate: Candidate, rows: int) -> str:
    """Return why a proposed candidate is not trained on so many rows; empty where it is."""
    if not spec.is_proposed(candidate.name):
        return ""
    return why_skipped(candidate.name, rows, len(spec.inputs))


def board_of(context: Context, candidate: Candidate, key: str, worker: int = 0) -> Board | None:
    """Return where the workers of a candidate's search see each other's trials; None where the
    search has one worker alone and what it leaves in its folder is enough.

    Where the store is far, workers have no folder in common: one that takes over a search finds it
    on the board.
    """
    spec = context.spec
    if not candidate.search:
        return None
    if candidate.most_at_once(spec.search.parallel) == 1 and not context.ports.store.is_far:
        return None
    from pipelines.training.search import Board

    turns = f"trial-{spec.name}-{candidate.name}"
    folder = f"{SEARCHES}/{key}"
    return Board(context.ports.store, context.ports.ledger, folder, turns, worker)


def clear(folder: Path, done: str) -> None:
    """Remove what the search of the key `done` left, and what nobody resumed for weeks."""
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            if each.name == done or time.time() - each.stat().st_mtime > KEPT:
                shutil.rmtree(each)
