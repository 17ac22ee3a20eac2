"""What a proof asks: rows on which a compiled model may be wrong.

The held-out rows; edge rows (`edges`); odd texts (`texts`); rows at, just below and just above the
thresholds of trees, where these can be traced back to an input (`thresholds`); and where not all
can, or where there are none, rows between which the answer changes, found by search
(`boundaries`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.bundle.rows import feed_from_rows
from pipelines.tasks import classifies
from pipelines.training.onnx.answers import native_answers
from pipelines.training.onnx.boosters import asks_for_zero
from pipelines.training.onnx.boundaries import find_boundary
from pipelines.training.onnx.nested import answering_parts, estimators_in
from pipelines.training.onnx.texts import text_rows
from pipelines.training.onnx.thresholds import build_rows, trace
from pipelines.training.onnx.tree_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from pipelines.bundle.rows import Feed, Row
    from pipelines.bundle.schema import InputSchema

    Array = np.ndarray[Any, Any]

_NEIGHBOURS = ("KNeighbors", "RadiusNeighbors", "KNNImputer", "LocalOutlierFactor")


def why_unprovable(pipeline: Any) -> str:
    """Return why no proof can be given for this kind of model, or nothing.

    Learnt rows on a grid (prices, counts, halves) are often equally far from a request. Which of
    them count then depends on the last bit and on the order of a search, and no sample of requests
    shows all such ties.
    """
    for found in estimators_in(pipeline):
        if type(found).__name__.startswith(_NEIGHBOURS):
            return (
                "where two rows are equally far, float32 chooses other neighbours, and nobody can"
                " ask for all such requests"
            )
    for part in answering_parts(pipeline):
        nodes = read_nodes(part.estimator)
        if nodes is not None and nodes.by_category.any():
            return (
                "its trees ask for sets of categories (categorical_features), which the"
                " converter takes for numbers"
            )
        if hasattr(part.estimator, "booster_") and asks_for_zero(part.estimator):
            return "its trees take zero for null (zero_as_missing), which ONNX cannot say"
    return ""


def ask(
    pipeline: Any, schema: InputSchema, held_out: Feed, edges: list[Row]
) -> Iterator[tuple[str, Feed]]:
    """Yield the feeds that the proof compares, each with a name for one of its rows.

    The held-out rows come first.
    """
    yield "a held-out row", held_out
    yield "an edge row", feed_from_rows(schema.columns, edges)
    yield "a row with an odd text", text_rows(pipeline, held_out)
    for feed in build_rows(pipeline, schema, held_out):
        yield "a row at a threshold", feed
    if _all_traced(pipeline, schema):
        return
    if classifies(schema.task):
        yield (
            "a row between two classes",
            find_boundary(
                held_out, lambda feed: _pick_classes(native_answers(pipeline, schema, feed))
            ),
        )
    for one_input in (False, True) if _cuts(pipeline) else ():
        yield (
            "a row where the answer changes",
            find_boundary(
                held_out,
                lambda feed: _fold(native_answers(pipeline, schema, feed)),
                one_input=one_input,
            ),
        )


def _all_traced(pipeline: Any, schema: InputSchema) -> bool:
    """Tell whether all answers are made by trees at whose every threshold can be asked."""
    traced = trace(pipeline, schema)
    if not traced or any(len(t.askable) < len(t.nodes.feature) for t in traced):
        return False
    asked = {id(part.estimator) for part in answering_parts(pipeline)}
    trees = {id(found) for found in estimators_in(pipeline) if _is_tree(found)}
    return trees <= asked and all(
        read_nodes(part.estimator) is not None for part in answering_parts(pipeline)
    )


_CUTTING = frozenset({"Binarizer", "KBinsDiscretizer", "RandomTreesEmbedding", "Perceptron"})
_SMOOTH = ("sklearn.", "imblearn.")


def _cuts(pipeline: Any) -> bool:
    """Tell whether answers may jump at numbers that nobody has told us: there a search is due."""
    return any(
        _is_tree(found)
        or type(found).__name__ in _CUTTING
        or getattr(found, "func", None) is not None
        or not type(found).__module__.startswith(_SMOOTH)
        for found in estimators_in(pipeline)
    )


def _is_tree(estimator: Any) -> bool:
    # An estimator of LightGBM or XGBoost that is not fitted may have a booster that is None.
    names = ("tree_", "_predictors", "_Booster")
    return any(getattr(estimator, name, None) is not None for name in names)


def _pick_classes(answers: Array) -> Array:
    """Return the class that each answer speaks for."""
    # Half of the probability.
    return answers[:, 0] > 0.5 if answers.shape[1] == 1 else answers.argmax(axis=1)  # noqa: PLR2004


def _fold(answers: Array) -> Array:
    """Return one number (n,) for each answer, which changes where the answer does."""
    weights = [1.0 / (1 + place) for place in range(answers.shape[1])]
    folded: Array = answers @ weights
    return folded
