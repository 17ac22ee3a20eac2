"""The spec: what `model.yaml` says, as one frozen, closed, versioned value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import ValidationError, model_validator

from pipelines.plain_errors import Impossible
from pipelines.spec.automl import AutoML, propose
from pipelines.spec.candidates import Candidate
from pipelines.spec.facts import SpecFacts
from pipelines.spec.metrics import find_metric
from pipelines.spec.problems import spec_problems
from pipelines.tasks import Task

if TYPE_CHECKING:
    from pipelines.spec.metric import Metric
    from pipelines.spec.own_metrics import OwnMetric


class Spec(SpecFacts):
    """One model, as its `model.yaml` declares it (format version 1)."""

    @model_validator(mode="before")
    @classmethod
    def _add_proposals(cls, body: Any) -> Any:
        """Add what `automl` proposes to the candidates, save for names that are there already."""
        if not isinstance(body, dict) or body.get("automl") in (None, False):
            return body
        own = body.get("candidates", [])
        try:
            budget = AutoML() if body["automl"] is True else AutoML.model_validate(body["automl"])
        except ValidationError:
            return body  # which is then refused with its place
        if not isinstance(own, list) or body.get("task") not in get_args(Task):
            return body
        names = {c.get("name") if isinstance(c, dict) else c.name for c in own}
        proposed = [c for c in propose(body["task"], budget) if c["name"] not in names]
        return {**body, "candidates": [*own, *proposed]}

    @model_validator(mode="after")
    def _check_and_place(self) -> Spec:
        if faults := spec_problems(self):
            raise Impossible(faults)
        for candidate in self.candidates:
            candidate.place(
                self.candidates,
                in_time=not self.is_snapshot,
                requires=bool(self.requires),
                quantiles=self.quantiles,
            )
        return self

    def metric_named(self, name: str) -> Metric | OwnMetric:
        """Return the declaration of a metric, its own or the catalogue's.

        Raises RequestError for an unknown name.
        """
        return self.own_metrics[name] if name in self.own_metrics else find_metric(name)

    def unit_of(self, metric: str) -> str:
        """Return what a metric is counted in; empty where it has no unit."""
        return self.own_metrics[metric].shown_unit if metric in self.own_metrics else ""

    def is_proposed(self, name: str) -> bool:
        """Whether `automl` has proposed the candidate of that name."""
        if not self.automl:
            return False
        budget = self.automl if isinstance(self.automl, AutoML) else AutoML()
        return any(
            Candidate.model_validate(c) == self.candidate(name) for c in propose(self.task, budget)
        )

    def candidate(self, name: str) -> Candidate:
        """Return the candidate of that name; KeyError where there is none."""
        return {c.name: c for c in self.candidates}[name]


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `model.yaml`, by which editors complete it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Spec.model_json_schema()}
