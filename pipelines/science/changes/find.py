"""Whether a window differs from its reference, in each family of tests, at one level for all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.changes.coding import code, kind_of
from pipelines.science.changes.facts import Changes, ColumnChange, FamilyChange
from pipelines.science.changes.families import Question, say_nothing, with_compared
from pipelines.science.changes.groups import OF_VALUES
from pipelines.science.changes.layout import lay_out, tell_compared, why_too_few
from pipelines.science.changes.performance import compare_answers
from pipelines.science.changes.summing import Summing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pipelines.science.changes.coding import Coded
    from pipelines.science.changes.facts import Family, Sample
    from pipelines.science.changes.layout import Layout
    from pipelines.science.pieces import Span
    from pipelines.spec.drift import Method

    Array = NDArray[Any]

DEFAULT_OF: dict[str, Method] = {"number": "wasserstein", "text": "jensenshannon"}
PREDICTIONS = "predictions"
_NAMED = 10
_ROWS: tuple[Family, ...] = ("missing", "inputs", "together", "predictions")


def find_changes(
    window: Sample,
    reference: Sample,
    *,
    level: float,
    span: Span,
    seed: int,
    methods: Mapping[str, Method] | None = None,
    least: int,
) -> Changes:
    """Return in what a window differs from its reference.

    The probability that any family says "changed" of a window that is exchangeable with its
    reference is at most about `level` (`benchmarks/false_alarms.py` measures it); each family for
    which there are data has an equal share of it (Bonferroni). `span` is how long rows are alike at
    least. `methods` names the distance of a column where it is not the usual one. Of fewer than
    `least` rows on either side, or labelled rows for `performance`, nothing is said, but that
    columns are gone, new, or of another kind.

    ValueError where `level` is no probability.
    """
    if not 0 < level < 1:
        msg = f"level is {level}, and must be between 0 and 1"
        raise ValueError(msg)
    asked = _families_asked(window, reference)
    share = level / max(len(asked), 1)
    schema, notes = compare_schema(window, reference)
    found = {
        family: say_nothing(family, share, _why_not_asked(family))
        for family in (*_ROWS, "performance")
        if family not in asked
    }
    rows: list[Family] = [family for family in asked if family != "performance"]
    found |= {
        f.family: f for f in _of_rows(window, reference, rows, share, span, seed, methods, least)
    }
    if "performance" in asked:
        found["performance"] = compare_answers(window, reference, share, span, seed, least)
    if schema:
        found["missing"] = _with_schema(found["missing"], schema)
    order: tuple[Family, ...] = (*_ROWS, "performance")
    families = [found[family] for family in order]
    return Changes(families, [*notes, *(n for f in families for n in _note_untold(f))])


def _note_untold(found: FamilyChange) -> list[str]:
    """Return which columns are left out of a family that says something of others."""
    names = list(dict.fromkeys(c.name for c in found.columns if c.p_value is None))
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    untold = "the past is worth too few independent windows to judge every statistic"
    return [f"{found.family}: of {'; '.join(names[:_NAMED])}{more} {untold}"]


def _families_asked(window: Sample, reference: Sample) -> list[Family]:
    asked: list[Family] = ["missing", "inputs"] if window.columns or reference.columns else []
    if len(window.columns.keys() & reference.columns.keys()) > 1:
        asked.append("together")
    if window.predictions is not None and reference.predictions is not None:
        asked.append("predictions")
    if window.losses is not None and reference.losses is not None:
        asked.append("performance")
    return asked


def _why_not_asked(family: Family) -> str:
    return {
        "missing": "there are no inputs",
        "inputs": "there are no inputs",
        "together": "fewer than two inputs are on both sides",
        "predictions": "one of the sides has no predictions",
        "performance": "one of the sides has no labelled rows",
    }[family]


def compare_schema(window: Sample, reference: Sample) -> tuple[list[ColumnChange], list[str]]:
    """Return columns that are gone, new or of another kind, which chance never makes; and notes on
    what is not compared.
    """
    if not window.rows or not reference.rows:
        return [], []
    changes: list[tuple[str, str]] = []
    notes: list[str] = []
    for name in sorted(window.columns.keys() | reference.columns.keys()):
        if name not in window.columns:
            changes.append((name, "gone"))
        elif name not in reference.columns:
            changes.append((name, "new"))
        else:
            kinds = [kind_of(side.columns[name]) for side in (window, reference)]
            if kinds == [None, None]:
                notes.append(f"{name} has no value on either side and is not compared")
            elif None not in kinds and kinds[0] != kinds[1]:
                changes.append((name, "kind"))
    return [ColumnChange(name, method, 1.0, 0.0, 0.0, changed=True) for name, method in changes], (
        notes
    )


def _with_schema(missing: FamilyChange, schema: list[ColumnChange]) -> FamilyChange:
    return replace(
        missing,
        said="changed",
        p_value=0.0,
        columns=[*schema, *missing.columns],
        null="; ".join(part for part in ("chance changes no schema", missing.null) if part),
        untold="",
    )


def _of_rows(
    window: Sample,
    reference: Sample,
    asked: Sequence[Family],
    share: float,
    span: Span,
    seed: int,
    methods: Mapping[str, Method] | None,
    least: int,
) -> list[FamilyChange]:
    """Return what is said of inputs and predictions."""
    few = why_too_few(window.rows, reference.rows, least, "rows")
    if few or not asked:
        return [say_nothing(family, share, few) for family in asked]
    layout = lay_out(window.times, reference.times, (window.rows, reference.rows), span, seed)
    few = why_too_few(len(layout.window), len(layout.reference), least, "rows to compare")
    compared = tell_compared(layout, window.rows, reference.rows)
    if few:
        few = "; ".join(filter(None, [few, compared]))
        return [say_nothing(family, share, few) for family in asked]
    summing = Summing(layout.pieces, layout.count)
    columns = _code_columns(window, reference, layout)
    missing = {c.name: c.codes < 0 for c in columns if (c.codes < 0).any()}
    summing.add_means("missing", "missing", missing)
    infinite = {c.name: c.infinite for c in columns if c.infinite is not None}
    summing.add_means("missing", "infinite", infinite)
    for column in columns:
        summing.add_column("inputs", column, _method(column, methods))
    if "together" in asked:
        summing.add_together(columns, seed)
    if "predictions" in asked:
        answers = _code_side(PREDICTIONS, window.predictions, reference.predictions, layout)
        if answers is not None:
            summing.add_column("predictions", answers, _method(answers, None))
    sums = summing.end()
    found = [
        Question(family, sums, layout, share, span != "row", seed).answer() for family in asked
    ]
    found = [_none_is_missing(f, sums) if f.family == "missing" else f for f in found]
    return [with_compared(f, compared) for f in found]


def _none_is_missing(found: FamilyChange, sums: Any) -> FamilyChange:
    """Return that nothing has changed where no value is missing or infinite on either side."""
    if sums.of("missing"):
        return found
    return replace(
        found, said="unchanged", p_value=1.0, untold="", null="no value is missing on either side"
    )


def _code_columns(window: Sample, reference: Sample, layout: Layout) -> list[Coded]:
    names = [name for name in reference.columns if name in window.columns]
    coded = [
        _code_side(name, window.columns[name], reference.columns[name], layout) for name in names
    ]
    return [column for column in coded if column is not None]


def _code_side(
    name: str, window: Array | None, reference: Array | None, layout: Layout
) -> Coded | None:
    if window is None or reference is None:
        return None
    return code(name, np.asarray(window)[layout.window], np.asarray(reference)[layout.reference])


def _method(column: Coded, methods: Mapping[str, Method] | None) -> Method:
    usual = DEFAULT_OF[column.kind]
    method = (methods or {}).get(column.name, usual)
    return usual if column.kind == "text" and method in OF_VALUES else method
