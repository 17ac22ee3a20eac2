"""From the names and values of `params` and `search` to the pipeline's own.

A plain name is the estimator's. `tfidf__max_features` is the step's of that name; as many of the
names before a parameter as tell it apart are enough, in the pipeline's order.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from pipelines.classes import class_of, place_of_binary
from pipelines.errors import SpecError
from pipelines.tasks import learns_named_classes
from pipelines.training.inspection import new_estimator, parameter_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate

ENCODER, ESTIMATOR = "encode", "estimator"
"""The pipeline's first and last step."""
MONOTONE = ("monotonic_cst", "monotone_constraints")
"""What the libraries call constraints by input."""


def check_parameters(candidate: Candidate, known: Iterable[str] | None = None) -> None:
    """Raise SpecError naming the parameters that the estimator does not have.

    The closest ones that it has are named as well. What belongs to a step is looked at where the
    pipeline is built. `known`: the nested parameters of an own pipeline. Raises SpecError too where
    the estimator cannot be imported. A fenced candidate's are looked at in its own process.
    """
    if known is not None:
        names = list(known)
        for name, part in _places(candidate):
            if name not in names:
                raise _unknown_parameter(candidate, name, part, candidate.estimator, names)
        return
    for one in candidate.parts:
        check_parameters(one)
    if candidate.onnx:
        from pipelines.training.onnx.finished import read_file

        read_file(candidate.folder, candidate)
    if candidate.vote or candidate.onnx or candidate.fenced:
        return
    names = parameter_names(new_estimator(candidate))
    for name, part in _places(candidate):
        if "__" not in name and name not in names and not _is_monotone(name, names):
            raise _unknown_parameter(candidate, name, part, candidate.estimator, names)


def _is_monotone(name: str, names: Iterable[str]) -> bool:
    return name in MONOTONE and any(other in names for other in MONOTONE)


def _places(candidate: Candidate) -> list[tuple[str, str]]:
    return [*((n, "params") for n in candidate.params), *((n, "search") for n in candidate.search)]


def _unknown_parameter(
    candidate: Candidate, name: str, part: str, owner: str, names: Iterable[str]
) -> SpecError:
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return SpecError(
        f"candidates.{candidate.name}: {owner} has no parameter {name!r}.",
        remedy=f"{hint}It has {', '.join(known)}.",
        at=("candidates", candidate.name, part, name),
    )


def pipeline_parameters(pipeline: Any, candidate: Candidate, name: str) -> list[str]:
    """Return the pipeline's parameters that a name of `params` or `search` stands for.

    One; several where a step stands in several branches. Raises SpecError where there is none, or
    where it may be several steps'.
    """
    if candidate.fenced:
        return [f"{ESTIMATOR}__{name}"]
    known = pipeline.get_params(deep=True)
    if "__" in name and name in known:
        return [name]
    inner = _prefix(pipeline)
    if "__" not in name:
        return [f"{inner}{_own_name(pipeline, name)}"]
    if f"{inner}{name}" in known:
        return [f"{inner}{name}"]
    *owners, leaf = name.split("__")
    found = [n for n in known if _leads_to(n.split("__"), owners, leaf)]
    nearest = {n.split("__")[-2] for n in found}
    if len(nearest) == 1:
        least = min(n.count("__") for n in found)
        return [n for n in found if n.count("__") == least]
    part = "params" if name in candidate.params else "search"
    if found:
        raise SpecError(
            f"candidates.{candidate.name}: {name!r} may be {' or '.join(sorted(found)[:5])}.",
            remedy="write more of the names before it.",
            at=("candidates", candidate.name, part, name),
        )
    raise _unknown_parameter(candidate, name, part, "the pipeline", (n for n in known if "__" in n))


def _leads_to(path: list[str], owners: list[str], leaf: str) -> bool:
    """Tell whether the owners stand in a path in their order, the last right before the leaf.

    A part of a stack is itself a pipeline, whose estimator may be left out.
    """
    if path[-1] != leaf or len(path) <= len(owners) or path[-2] not in {owners[-1], ESTIMATOR}:
        return False
    rest = iter(path[:-1])
    return all(owner in rest for owner in owners)


_AROUND = {
    "CalibratedClassifierCV": "estimator",
    "Clusters": "estimator",
    "QuantileFits": "estimator",
    "StackingClassifier": "final_estimator",
    "StackingRegressor": "final_estimator",
}
"""What lies around an estimator, and the parameter by which it holds it."""


def _prefix(pipeline: Any) -> str:
    """Return what stands before the estimator's own parameters."""
    inner = _AROUND.get(type(pipeline.named_steps[ESTIMATOR]).__name__)
    return f"{ESTIMATOR}__{inner}__" if inner else f"{ESTIMATOR}__"


def _own_name(pipeline: Any, name: str) -> str:
    """Return a constraint's name as the estimator calls it, any other name as it is."""
    if name not in MONOTONE:
        return name
    names = parameter_names(core_of(pipeline.named_steps[ESTIMATOR]))
    return next((other for other in MONOTONE if other in names), name)


def core_of(estimator: Any) -> Any:
    """Return the estimator within a calibration or within the fits of levels, or itself."""
    around = ("CalibratedClassifierCV", "QuantileFits")
    return estimator.estimator if type(estimator).__name__ in around else estimator


def set_parameters(
    pipeline: Any, candidate: Candidate, schema: InputSchema, setting: Mapping[str, Any]
) -> Any:
    """Set what a setting of `params` or `search` says, by its names there, and return the pipeline.

    Weights by the names of classes become weights by their codes, a list becomes a tuple where the
    library has one. Raises SpecError for what the pipeline does not have.
    """
    if candidate.fenced:
        own_parameters = {f"{ESTIMATOR}__{name}": value for name, value in setting.items()}
        return pipeline.set_params(**own_parameters)
    known = pipeline.get_params(deep=True)
    for name, value in setting.items():
        part = "params" if name in candidate.params else "search"
        for full in pipeline_parameters(pipeline, candidate, name):
            leaf = full.rsplit("__", 1)[-1]
            own = value
            if leaf == "class_weight" and isinstance(value, dict):
                own = _weights(candidate, schema, value, (part, name))
            elif isinstance(value, list) and isinstance(known.get(full), tuple):
                own = tuple(value)
            pipeline.set_params(**{full: own})
    return pipeline


def default_of(pipeline: Any, candidate: Candidate, name: str) -> Any:
    """Return what the pipeline has for a name of `search` before it is set."""
    if candidate.fenced:
        return pipeline.named_steps[ESTIMATOR].defaults().get(name)
    (full, *_) = pipeline_parameters(pipeline, candidate, name)
    return pipeline.get_params(deep=True).get(full)


def _weights(
    candidate: Candidate, schema: InputSchema, weights: Mapping[str, Any], at: tuple[str, str]
) -> dict[int, float]:
    """Return weights by the classes' codes. Raises SpecError for what is no class, or no weight."""
    classes = schema.classes or schema.binary_classes or ["0", "1"]
    codes: dict[int, float] = {}
    for name, weight in weights.items():
        if learns_named_classes(schema.task):
            own = class_of(name, classes)
            code = None if own is None else list(classes).index(own)
        else:
            label: Any = {"true": 1, "false": 0}.get(name.lower(), name)
            code = place_of_binary(label, classes)
        where = ("candidates", candidate.name, *at, name)
        if code is None:
            raise SpecError(
                f"candidates.{candidate.name}: class_weight: {name!r} is no class.",
                remedy=f"the classes are {', '.join(map(repr, classes))}.",
                at=where,
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise SpecError(
                f"candidates.{candidate.name}: class_weight: {weight!r} is no weight.",
                remedy="write a number of at least 0.",
                at=where,
            )
        codes[code] = float(weight)
    return codes
