"""Rows of features that are read part by part, and the sample of them that fits into memory.

Where the memory of a step is stated and a plan has more rows than that holds (`row_limit`), fits
and judgements stand on a sample: by class in proportion, else by batch; of `train.group` whole
groups. Estimators that can learn in parts get all rows (`training.in_parts`). See
docs/decisions/0105-fits-and-looks-keep-to-memory.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.columns.widening import in_types, together
from pipelines.data.known_labels import LabelCounts, count_labels, known_among, times
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import BadData
from pipelines.science.sampling import hashes_of, limits_of, lowest, quotas_of, whole_units
from pipelines.tasks import classifies, learns_nothing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]

READ_ROWS = 131_072
"""Rows that are read from a file at once."""


@dataclass(frozen=True)
class RowFiles:
    """Files with rows of features by batch, in their order, and how they are brought together."""

    spec: Spec
    paths: dict[str, Path]

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """The types of those columns that not all files hold alike.

        Raises BadData where a column is missing, or its types do not go together.
        """
        columns = self.spec.feature_columns
        schemas = {name: pq.read_schema(path) for name, path in self.paths.items()}
        for name, schema in schemas.items():
            absent = [c for c in columns if c not in schema.names]
            if absent:
                raise BadData(
                    f"The features of {name} lack {', '.join(absent)}.",
                    remedy="let features.py build these columns.",
                )
        unlike = [c for c in columns if len({s.field(c).type for s in schemas.values()}) > 1]
        first, last = next(iter(self.paths)), list(self.paths)[-1]
        found = {}
        for column in unlike:
            values = {n: pq.read_table(p, columns=[column]) for n, p in self.paths.items()}
            subject = f"The features of {first} to {last}"
            found[column] = together(values, subject, whole=self.spec.key).schema.field(0).type
        return found

    @property
    def schema(self) -> pa.Schema:
        """The columns of a row of features, in the types that all batches are read in."""
        first = pq.read_schema(next(iter(self.paths.values())))
        columns = self.spec.feature_columns
        return pa.schema([(c, self.types.get(c, first.field(c).type)) for c in columns])

    def with_nulls(self) -> set[str]:
        """Return the columns in which some row is null, as the files' statistics say."""
        found = set()
        for path in self.paths.values():
            metadata = pq.read_metadata(path)
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            for chunk in (g.column(i) for g in groups for i in range(metadata.num_columns)):
                statistics = chunk.statistics
                if statistics is None or not statistics.has_null_count or statistics.null_count:
                    found.add(chunk.path_in_schema)
        return found

    def read(self, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows part by part, each with the number of its batch."""
        types = {c: kind for c, kind in self.types.items() if c in columns}
        for number, path in enumerate(self.paths.values()):
            with pq.ParquetFile(path) as file:
                for part in file.iter_batches(batch_size=READ_ROWS, columns=columns):
                    table = pa.Table.from_batches([part]).select(columns)
                    yield number, in_types(table.replace_schema_metadata(None), types)


@dataclass(frozen=True)
class RowParts:
    """The rows whose label was known at the moment `by`; `held` names the side of a snapshot.

    With no `by` all rows, whether they have a label or not.
    """

    files: RowFiles
    by: datetime | None
    held: bool | None = None
    _kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def spec(self) -> Spec:
        """What the rows are read by."""
        return self.files.spec

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self._facts[0].sum())

    @property
    def span(self) -> tuple[Any, Any]:
        """The first and the last event time, datetime64[us]."""
        return self._facts[1]

    def count_labels(self, by: datetime) -> LabelCounts:
        """Count all rows of the files by what is known of their label at the moment `by`."""
        counts = [
            count_labels(part, self.spec, by) for _, part in self.files.read(self._deciding_columns)
        ]
        return LabelCounts(
            known=sum(c.known for c in counts),
            waiting=sum(c.waiting for c in counts),
            missing=sum(c.missing for c in counts),
        )

    def tables(self, rows: int) -> Iterator[pa.Table]:
        """Yield all rows in their order, so many at once however the files are cut."""
        waiting: list[pa.Table] = []
        for _, part in self._read(self.spec.feature_columns):
            waiting.append(part)
            while sum(t.num_rows for t in waiting) >= rows:
                whole = pa.concat_tables(waiting)
                yield whole.slice(0, rows)
                waiting = [whole.slice(rows)]
        rest = pa.concat_tables(waiting) if waiting else None
        if rest is not None and rest.num_rows:
            yield rest

    def sample(self, most: int) -> pa.Table:
        """Return at most `most` of the rows in their order; all of them where there are no more."""
        empty = self.files.schema.empty_table()
        if self.count <= most:
            parts = [part for _, part in self._read(self.spec.feature_columns)]
            return pa.concat_tables([empty, *parts]).combine_chunks()
        chosen = self._units(most)
        if chosen is not None:
            parts = [
                part.filter(pa.array(np.isin(self._hashes(part, self._unit_columns), chosen)))
                for _, part in self._read(self.spec.feature_columns)
            ]
            return pa.concat_tables([empty, *parts]).combine_chunks()
        return self._by_strata(most, empty)

    def _by_strata(self, most: int, empty: pa.Table) -> pa.Table:
        counts = self._facts[0]
        quotas = quotas_of(counts, most, least=1 if self._has_classes else 0)
        limits = limits_of(quotas, counts)
        parts, hashes, strata = [empty], [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for number, part in self._read(self.spec.feature_columns):
            own, of = self._hashes(part, self.spec.key), self._strata(number, part)
            near = own <= limits[of]
            parts.append(part.filter(pa.array(near)))
            hashes.append(own[near])
            strata.append(of[near])
        places = lowest(np.concatenate(hashes), np.concatenate(strata), quotas)
        return pa.concat_tables(parts).take(pa.array(places)).combine_chunks()

    def _units(self, most: int) -> Array | None:
        """Return the hashes of the groups that are taken whole; None where rows are."""
        if not self._unit_columns:
            return None
        found: dict[int, int] = {}
        for _, part in self._read(self._deciding_columns):
            own, rows = np.unique(self._hashes(part, self._unit_columns), return_counts=True)
            for unit, count in zip(own.tolist(), rows.tolist(), strict=True):
                found[unit] = found.get(unit, 0) + count
        hashes = np.array(list(found), dtype=np.uint64)
        chosen = whole_units(hashes, np.array(list(found.values()), dtype=np.int64), most)
        return chosen if len(chosen) else None

    @property
    def _unit_columns(self) -> list[str]:
        return [self.spec.train.group] if self.spec.train.group else []

    @property
    def _has_classes(self) -> bool:
        spec = self.spec
        return self.by is not None and classifies(spec.task) and not learns_nothing(spec.task)

    @property
    def _deciding_columns(self) -> list[str]:
        """The columns that say whether a row counts, to which stratum and unit it belongs."""
        spec = self.spec
        times = [spec.event_time] if spec.event_time else []
        target = [spec.target.column] if spec.has_target else []
        sides = [] if self.held is None else spec.side_columns
        return list(dict.fromkeys([*spec.key, *times, *target, *sides, *self._unit_columns]))

    def _read(self, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
        """Yield the rows that count, part by part."""
        for number, part in self.files.read(columns):
            rows = part if self.by is None else known_among(part, self.spec, self.by)
            if self.held is not None and rows.num_rows:
                is_held = held_out(rows, sides_of(self.spec), self.spec.key)
                rows = rows.filter(pa.array(is_held == self.held))
            yield number, rows

    @property
    def _facts(self) -> tuple[Array, tuple[Any, Any]]:
        """The rows of each stratum, and the span of their times; read once."""
        if "facts" not in self._kept:
            counts: dict[int, int] = {}
            moments = []
            for number, part in self._read(self._deciding_columns):
                of, rows = np.unique(self._strata(number, part), return_counts=True)
                for stratum, count in zip(of.tolist(), rows.tolist(), strict=True):
                    counts[stratum] = counts.get(stratum, 0) + count
                if part.num_rows:
                    own = times(part, self.spec)
                    moments += [own.min(), own.max()]
            array = np.array([counts.get(i, 0) for i in range(max(counts, default=-1) + 1)])
            span = (min(moments), max(moments)) if moments else (None, None)
            self._kept["facts"] = array.astype(np.int64), span
        found: tuple[Array, tuple[Any, Any]] = self._kept["facts"]
        return found

    def _strata(self, number: int, part: pa.Table) -> Array:
        """Return the strata (n,) of a part's rows: the class, or else the batch."""
        if not self._has_classes:
            return np.full(part.num_rows, number, dtype=np.int64)
        codes: dict[Any, int] = self._kept.setdefault("classes", {})
        encoded = part[self.spec.target.column].combine_chunks().dictionary_encode()
        of = [codes.setdefault(value, len(codes)) for value in encoded.dictionary.to_pylist()]
        places = encoded.indices.to_numpy(zero_copy_only=False)
        return np.array(of, dtype=np.int64)[places] if len(places) else np.empty(0, np.int64)

    def _hashes(self, part: pa.Table, columns: list[str]) -> Array:
        """Return the hashes (n,) of what the columns say; of a row without any, of its key."""
        spec = self.spec
        own = hashes_of([_plain(part[c]) for c in columns], spec.train.seed)
        if columns == spec.key or not part.num_rows:
            return own
        nothing = np.logical_and.reduce(
            [part[c].is_null().to_numpy(zero_copy_only=False) for c in columns]
        )
        keys = hashes_of([_plain(part[c]) for c in spec.key], spec.train.seed)
        return np.where(nothing, keys, own)


def _plain(column: pa.ChunkedArray) -> Array:
    """Return a column (n,) as whole numbers, or else as texts or bytes."""
    if pa.types.is_binary(column.type):
        return np.asarray(pc.fill_null(column, b"").to_numpy(zero_copy_only=False), dtype=object)
    if pa.types.is_integer(column.type):
        return np.asarray(pc.fill_null(column, 0).to_numpy().astype(np.int64))
    texts = pc.fill_null(column.cast(pa.string()), "")
    return np.asarray(texts.to_numpy(zero_copy_only=False), dtype=object)
