"""What a fit is given of the rows: typed inputs, targets as numbers, the names of the classes.

`train` and the look that `check` takes before it come through here, so that they refuse alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import schema_of
from pipelines.training import estimators
from pipelines.training.quantiles import correction_groups
from pipelines.training.targets import (
    binary_classes,
    classes_of,
    refuse_constant,
    refuse_one_label,
    targets,
)
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Spec

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Prepared:
    """Rows as a fit takes them: `y` and `inputs` to learn from, `truth` of the held-out rows."""

    train: pa.Table
    holdout: pa.Table
    y: Array
    truth: Array
    classes: list[str] | None
    schema: InputSchema
    inputs: pd.DataFrame
    weights: Array | None = None
    groups: Array | None = None
    """The groups (n,) that a correction of quantiles must not tear apart, where there are any."""


def prepare(train: pa.Table, holdout: pa.Table, spec: Spec) -> Prepared:
    """Return the rows as a fit takes them.

    Raises BadData where the target does not fit the task or is the same everywhere, or where a
    column is no input.
    """
    names = spec.inputs
    typed = estimators.give_types(train, names, like=holdout)
    held = estimators.give_types(holdout, names, like=typed)
    classes = classes_of(typed, spec)
    names_of_two = binary_classes(spec, typed, held)
    y, truth = targets(typed, spec, classes), targets(held, spec, classes)
    refuse_constant(y, spec, "training rows")
    refuse_one_label(np.concatenate([y, truth]), spec)
    # The kinds are all that matters here.
    schema = schema_of(typed.slice(0, 1), names, spec.task, classes, spec.levels)
    schema = with_series(schema.model_copy(update={"binary_classes": names_of_two}), spec)
    return Prepared(
        train=typed,
        holdout=held,
        y=y,
        truth=truth,
        classes=classes,
        schema=schema,
        inputs=estimators.frame(schema, typed),
        weights=weights_of(typed, spec),
        groups=correction_groups(typed, spec),
    )


def with_series(schema: InputSchema, spec: Spec) -> InputSchema:
    """Return the schema with what a forecast makes of its series; others as they are.

    What is made of the past may be null at any time: a series may have a gap.
    """
    series = spec.series
    if series is None:
        return schema
    past = {c.name for c in series.columns if not c.of_calendar}
    columns = [
        c.model_copy(update={"nullable": True}) if c.name in past else c for c in schema.columns
    ]
    return schema.model_copy(update={"series": series, "columns": columns})


def with_nulls(schema: InputSchema, names: set[str]) -> InputSchema:
    """Return the schema with these columns as ones that may be null."""
    columns = [
        c.model_copy(update={"nullable": True}) if c.name in names else c for c in schema.columns
    ]
    return schema.model_copy(update={"columns": columns})


def unseen_classes(rows: Prepared, spec: Spec) -> str:
    """Return in words which held-out rows are of classes that no training row has; "" for none."""
    if not rows.classes or not (rows.truth < 0).any():
        return ""
    new = sorted(set(classes_of(rows.holdout, spec) or []) - set(rows.classes))
    names = ", ".join(map(repr, new[:10]))
    return (
        f"{(rows.truth < 0).sum()} held-out rows are of classes that no training row has: {names}"
    )
