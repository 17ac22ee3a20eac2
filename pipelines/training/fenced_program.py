"""The process in which own pipelines, and candidates of required packages, are made and fitted.

Its arguments are REQUESTS ANSWERS PARENT LIMITS.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pipelines.bundle.schema import InputSchema
from pipelines.fence.program import Limits, run
from pipelines.training.estimators import build_pipeline
from pipelines.training.fitting import fit_pipeline
from pipelines.training.own.candidates import read_candidate
from pipelines.training.own.program import TrainingProgram
from pipelines.training.parameters import check_parameters, default_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

    from pipelines.spec import Candidate

    Array = np.ndarray[Any, Any]

_PLAIN = (bool, int, float, str, type(None))


class PackageBuilder:
    """Makes the candidates of required packages by the code of all others.

    Encoding, steps, calibration, stacks and weights are as they are for an estimator of the lock.
    """

    def check(self, request: Mapping[str, Any]) -> None:
        """Raise SpecError where the candidate cannot be imported or has not its parameters."""
        check_parameters(read_candidate(request["candidate"]))

    def defaults(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the candidate has for each name of `search` before it is set.

        None where that is no plain value. Raises SpecError where it cannot be imported, made or
        used for the task, or has no such parameter.
        """
        candidate = read_candidate(request["candidate"])
        pipeline = _pipeline(candidate, request, candidate.params)
        found = {name: default_of(pipeline, candidate, name) for name in candidate.search}
        return {n: value if isinstance(value, _PLAIN) else None for n, value in found.items()}

    def fit(
        self, request: Mapping[str, Any], frame: pd.DataFrame, y: Array, weights: Array | None
    ) -> tuple[Any, list[str]]:
        """Return the fitted pipeline and what the log says of the fit, for the asking log to say.

        Raises SpecError and BadData as `fit_pipeline`.
        """
        candidate = read_candidate(request["candidate"])
        pipeline = _pipeline(candidate, request, request["settings"])
        log, messages = logging.getLogger("perennial.packages"), _Messages()
        log.propagate = False
        log.addHandler(messages)
        try:
            model = fit_pipeline(pipeline, frame, y, candidate, log, weights=weights)
        finally:
            log.removeHandler(messages)
        return model, [text.removeprefix(f"{candidate.name}: ") for text in messages.texts]


def _pipeline(candidate: Candidate, request: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    schema = InputSchema.model_validate(request["schema"])
    return build_pipeline(candidate, schema, request["facts"]["seed"], params)


class _Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def main(arguments: list[str]) -> None:
    """Answer questions until there are no more."""
    paths = Limits.model_validate_json(arguments[3]).paths
    run(TrainingProgram(paths, PackageBuilder()), arguments)
