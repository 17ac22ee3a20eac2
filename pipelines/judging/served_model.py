"""The judged challenger as it would be served: stored, compiled where that is proven, and opened.

The bundle is made later, of a fit on more rows; what a model costs hardly hangs on that.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.bundle.rows import feed_from_table, rows_from_table, schema_of
from pipelines.comparison.fitted_models import own_code_of_run, read_model
from pipelines.comparison.judged import judged_rows
from pipelines.training.onnx.edges import edge_rows
from pipelines.training.storing import compile_model, open_predictor
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.bundle.predictor import Predictor
    from pipelines.comparison.judged import Judged
    from pipelines.context import Context
    from pipelines.messages import FeaturesResult, TrainResult

_RANGE_ROWS = 2_000
"""Held-out rows from which edge rows take their range, and on which a compilation is proven."""


@dataclass(frozen=True)
class ServedModel:
    """What would answer callers, and the held-out rows to ask it with."""

    predictor: Predictor
    judged: Judged
    stored: bytes
    """The model as it was stored."""
    code: bytes
    """Its own code as it was kept; empty where it has none."""
    compiled: bytes | None
    """The compiled model; None where it is served natively."""
    why_native: str

    @property
    def rows(self) -> pa.Table:
        """The held-out rows."""
        return self.judged.holdout

    @property
    def bundle_bytes(self) -> int:
        """What a bundle of it takes: the stored model, its code and the compiled one."""
        return len(self.stored) + len(self.code) + len(self.compiled or b"")


@contextlib.contextmanager
def served_model(
    context: Context, features: FeaturesResult, best: TrainResult
) -> Iterator[ServedModel]:
    """Yield a trained candidate as it would be served; one of own code lives until then.

    Raises BadData, Refused or SpecError as serving would.
    """
    judged = judged_rows(context, features)
    spec = context.spec
    schema = schema_of(
        judged.prepared.train, spec.inputs, spec.task, judged.classes, spec.levels
    ).model_copy(
        update={"binary_classes": judged.schema.binary_classes, "series": judged.schema.series}
    )
    some = judged.holdout.slice(0, _RANGE_ROWS)
    store = context.ports.store
    native = store.get(best.model)
    with (
        limit_threads(context.settings.threads),
        own_code_of_run(context, [best]) as own,
    ):
        model = read_model(context, judged, best, own)
        whole, single = edge_rows(schema, rows_from_table(schema.columns, some))
        compilation = compile_model(
            model,
            schema,
            feed_from_table(schema.columns, some),
            [*whole, *single],
            best.threshold.value if best.threshold else None,
        )
        compiled = compilation.model
        predictor = open_predictor(model, schema, native, compiled)
        try:
            yield ServedModel(
                predictor=predictor,
                judged=judged,
                stored=native,
                code=store.get(best.code) if best.code else b"",
                compiled=compiled,
                why_native=compilation.why_not,
            )
        finally:
            getattr(predictor, "close", lambda: None)()
