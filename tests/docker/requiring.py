"""A model whose estimator a required package brings, from its spec to what `deploy` is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.messages import (
    DeployRequest,
    FeaturesRequest,
    GateRequest,
    IngestRequest,
    PackageRequest,
    TrainRequest,
    ValidateRequest,
)
from pipelines.spec import load_spec
from pipelines.steps import features, gate, ingest, package, train, validate
from tests.served import NOW
from tests.worlds import World, as_of, visits

if TYPE_CHECKING:
    from tests.docker.deployments import Model, Yard

DAYS = 4
LINEAR = (
    "{name: linear, estimator: sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}}"
)


def requiring(yard: Yard, requires: str, candidate: str, **settings: object) -> Model:
    """Return a model with some days of data, these packages and this candidate beside a dummy."""
    model = yard.model(**settings)
    context = model.context
    world = World(context.settings.home, model=model.name)
    for day in range(DAYS):
        world.rewrite(day, visits(day))
    suites = context.settings.expectations
    (suites / "sales.json").rename(suites / f"{model.name}.json")
    world.respec("task: binary", f"task: binary\nrequires: [{requires}]")
    world.respec("window: 5 batches", "window: 2 batches")
    world.respec(LINEAR, candidate)
    spec = load_spec(context.settings.models, model.name)
    return replace(model, context=replace(context, spec=spec))


def packaged(model: Model, run: str) -> DeployRequest:
    """Run the steps of a retraining up to the bundle, and return what `deploy` is asked."""
    context = model.context
    ingested = ingest.run(context, IngestRequest(run=run, now=NOW, conf={"as_of": as_of(DAYS)}))
    validated = validate.run(context, ValidateRequest(run=run, ingest=ingested))
    built = features.run(context, FeaturesRequest(run=run, ingest=ingested, validate=validated))
    fits = [
        train.run(context, TrainRequest(run=run, candidate=c.name, features=built))
        for c in context.spec.candidates
    ]
    judged = gate.run(context, GateRequest(run=run, features=built, train=fits))
    packed = package.run(context, PackageRequest(run=run, features=built, train=fits, gate=judged))
    return DeployRequest(run=run, gate=judged, package=packed)
