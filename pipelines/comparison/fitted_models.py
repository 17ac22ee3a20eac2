"""The fitted models of a retraining, as they were stored; those of own code in their process."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pipelines.bundle.predictor import load_native
from pipelines.fence.own_code import OwnCode
from pipelines.training.estimators import ESTIMATOR, build_pipeline
from pipelines.training.own.process import own_code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.comparison.judged import Judged
    from pipelines.context import Context
    from pipelines.messages import TrainResult
    from pipelines.training.own.process import CodeProcess

_OWN_CODE_SECONDS = 60.0
"""How long one fit or answer of own code may take here; what takes longer is left out."""


def read_model(
    context: Context, judged: Judged, result: TrainResult, own: CodeProcess | None = None
) -> Any:
    """Return a candidate's fitted pipeline; one of own code, or of a required package, lives in the
    process `own`.

    Raises BadData, Refused or SpecError as serving would.
    """
    candidate = context.spec.candidate(result.candidate)
    stored = context.ports.store.get(result.model)
    if not candidate.fenced:
        return load_native(stored)
    seed = context.spec.train.seed
    pipeline = build_pipeline(candidate, judged.schema, seed, result.params, own)
    pipeline.named_steps[ESTIMATOR].load(stored)
    return pipeline


@contextlib.contextmanager
def own_code_of_run(context: Context, trained: list[TrainResult]) -> Iterator[CodeProcess | None]:
    """Yield the process for the code that candidates were fitted with; None without any.

    It is the code that was kept, whatever the folder holds by now.
    """
    kept = next((result.code for result in trained if result.code), None)
    if kept is None:
        yield None
        return
    code = OwnCode.model_validate_json(context.ports.store.get(kept))
    with own_code_of(context, code, seconds=_OWN_CODE_SECONDS) as own:
        yield own
