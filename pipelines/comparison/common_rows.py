"""The newest rows of features, on which two versions of a model can both be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipelines.columns.widening import together
from pipelines.data import labelled_rows
from pipelines.data.sides import held_out
from pipelines.intervals import SNAPSHOT
from pipelines.tables import from_parquet, rows_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pipelines.bundle.manifest import BundleManifest
    from pipelines.context import Context
    from pipelines.refs import FeaturesVersion

    Array = np.ndarray[Any, Any]

MOST = 20_000
"""Rows that are compared at most, evenly spread over the newest batches that hold so many."""
LARGE = 1_000_000
"""Rows of these batches from which on they are not held together."""
_MOST_BATCHES = 24


@dataclass(frozen=True)
class CommonRows:
    """Built rows (n) with all their columns.

    `fresh` (n,) tells of each whether its label is known and neither version was fitted on it;
    `words` which rows these are, and `fresh_words` which of them are fresh or why none is.
    """

    table: pa.Table
    fresh: Array
    words: str
    fresh_words: str


def common_rows(
    context: Context,
    manifests: Sequence[BundleManifest],
    *,
    now: datetime,
    version: FeaturesVersion | None = None,
    large: int = LARGE,
) -> CommonRows | None:
    """Return the newest rows of a features version (default: the newest); None where there is none.

    Of more than `large` rows only those that are compared are held: the same ones.

    Raises BadData where they cannot be put together.
    """
    spec, versions = context.spec, context.ports.versions
    # without changes this commits nothing and names the newest version
    version = version or versions.commit(spec.name, {}, "compare")
    files = versions.files(spec.name, version.revision)
    names, rows = list[str](), 0
    for name in sorted(files, reverse=True)[:_MOST_BATCHES]:
        if rows >= MOST:
            break
        names.append(name)
        rows += files[name].rows
    if not rows:
        return None
    paths = versions.fetch(spec.name, version, names)
    in_order = dict(zip(names[::-1], paths[::-1], strict=True))
    what = f"The features of {spec.name}"
    if rows > large:
        tables = _some_rows(in_order, [files[n].rows for n in in_order])
        table = together(tables, what, whole=spec.key)
    else:
        tables = {n: from_parquet(p) for n, p in in_order.items()}
        table = _sample(together(tables, what, whole=spec.key))
    fresh, why = _fresh(context, manifests, table, now)
    batches = "the newest snapshot" if names == [SNAPSHOT.name] else _batches(names)
    return CommonRows(table, fresh, f"{table.num_rows:,} rows of {batches}", why)


def _batches(names: Sequence[str]) -> str:
    span = names[0] if len(names) == 1 else f"{names[-1]} to {names[0]}"
    return f"the newest {'batch' if len(names) == 1 else f'{len(names)} batches'}, {span}"


def _sample(table: pa.Table) -> pa.Table:
    if table.num_rows <= MOST:
        return table
    return table.take(pa.array(np.linspace(0, table.num_rows - 1, MOST).astype(np.int64)))


def _some_rows(paths: Mapping[str, Path], counts: Sequence[int]) -> dict[str, pa.Table]:
    """Return those rows by batch that `_sample` takes of all, without holding the others."""
    places = np.linspace(0, sum(counts) - 1, MOST).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(counts)])
    return {
        name: rows_at(path, (places[(places >= a) & (places < b)] - a).tolist())
        for (name, path), a, b in zip(paths.items(), first[:-1], first[1:], strict=True)
    }


def _fresh(
    context: Context, manifests: Sequence[BundleManifest], table: pa.Table, now: datetime
) -> tuple[Array, str]:
    spec, none = context.spec, np.zeros(table.num_rows, dtype=bool)
    if spec.has_target and spec.target.column not in table.column_names:
        return none, "the rows have no label"
    known = labelled_rows.visible(table, spec, now)
    if spec.is_snapshot:
        sides = [m.sides for m in manifests]
        if any(s is None or not set(s.columns) <= set(table.column_names) for s in sides):
            return none, "it is not known which rows a version was not fitted on"
        masks = [held_out(table, s, spec.key) for s in sides if s is not None]
        fresh = np.logical_and.reduce([known, *masks])
        return fresh, f"{int(fresh.sum()):,} of them are held out from both versions"
    end = max(m.fitted_on.end for m in manifests)
    after = labelled_rows.times(table, spec) >= np.datetime64(end.replace(tzinfo=None), "us")
    fresh = known & after
    if not fresh.any():
        return fresh, f"both were fitted on rows until {end:%Y-%m-%d %H:%M}, and no label is later"
    return fresh, f"{int(fresh.sum()):,} of them are later than all that either was fitted on"
