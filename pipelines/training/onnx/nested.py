"""What a fitted pipeline is made of: estimators within estimators, however deep."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]

_PACKAGES = ("sklearn.", "imblearn.", "xgboost.", "lightgbm.", "pipelines.bundle.quantile_fits")


@dataclass(frozen=True)
class Part:
    """An estimator of a pipeline that answers on its own, and what its inputs went through."""

    before: tuple[Any, ...]
    """The transformers, from the frame of inputs on."""
    estimator: Any
    columns: Array | None = None
    """Which positions of what comes out of them it looks at; None for all."""


def estimators_in(model: Any) -> Iterator[Any]:
    """Yield every estimator and transformer within a fitted one, itself included, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, str | bytes | int | float | type(None)):
            continue
        seen.add(id(found))
        if hasattr(found, "get_params") and not isinstance(found, type):
            yield found
            waiting += list(vars(found).values())
        elif isinstance(found, dict):
            waiting += list(found.values())
        elif isinstance(found, list | tuple):
            waiting += list(found)
        elif isinstance(found, np.ndarray) and found.dtype == object and found.size:
            # A vocabulary or a list of categories holds texts, which are no estimators.
            waiting += [item for item in found.ravel() if not isinstance(item, str)]
        elif hasattr(found, "estimator") and hasattr(found, "calibrators"):
            waiting.append(found.estimator)  # of CalibratedClassifierCV, by fold


def answering_parts(model: Any, before: tuple[Any, ...] = ()) -> Iterator[Part]:
    """Yield the estimators whose answers a model's answer is made of, with what comes before them.

    A stack's last estimator is left out: it is asked answers, not inputs.
    """
    for part in _members(model, before):
        if part.estimator is model:
            yield part
            continue
        for deeper in answering_parts(part.estimator, part.before):
            columns = deeper.columns
            if part.columns is not None and len(deeper.before) == len(part.before):
                columns = part.columns if columns is None else part.columns[columns]
            yield Part(deeper.before, deeper.estimator, columns)


def _members(model: Any, before: tuple[Any, ...]) -> Iterator[Part]:
    """Yield what a model directly asks the inputs of, or the model itself."""
    if hasattr(model, "steps"):
        inner = [step for _, step in acting_steps(model)]
        yield Part((*before, *inner[:-1]), inner[-1])
    elif hasattr(model, "calibrated_classifiers_"):
        for fold in model.calibrated_classifiers_:
            yield Part(before, fold.estimator)
    elif hasattr(model, "tree_") or hasattr(model, "_predictors"):
        yield Part(before, model)
    elif hasattr(model, "estimators_"):
        columns = getattr(model, "estimators_features_", None)
        for nth, member in enumerate(_flatten(model.estimators_)):
            if member not in {None, "drop"}:
                yield Part(before, member, None if columns is None else np.asarray(columns[nth]))
    else:
        for name in ("best_estimator_", "regressor_", "estimator_", "classifier_"):
            inner_model = getattr(model, name, None)
            if inner_model is not None and not hasattr(model, "support_"):
                yield Part(before, inner_model)
                return
        yield Part(before, model)


def acting_steps(pipeline: Any) -> list[tuple[str, Any]]:
    """Return the steps of a pipeline that change an answer: none that pass through or draw rows."""
    return [
        (name, step)
        for name, step in pipeline.steps
        if step is not None and step != "passthrough" and not hasattr(step, "fit_resample")
    ]


def _flatten(members: Any) -> list[Any]:
    """Return the estimators of a list or an array, whose rows may be lists of estimators again."""
    flat: list[Any] = []
    for member in members:
        if isinstance(member, list | tuple | np.ndarray):
            flat += _flatten(member)
        else:
            flat.append(member)
    return flat


def replace_estimators(model: Any, change: Callable[[Any], Any]) -> Any:
    """Return the model with estimators within it replaced; all else stays the very same.

    `change` gives another estimator, or the same one where nothing is to be changed. The fitted
    model is left as it is.
    """
    return _Replacement(change).visit(model)


class _Replacement:
    """One walk through a model: what was seen, by its identity, and what takes its place."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self._change = change
        self._done: dict[int, Any] = {}

    def visit(self, value: Any) -> Any:
        """Return what takes the value's place: the value itself where nothing in it changes."""
        if id(value) not in self._done:
            self._done[id(value)] = value  # a circle ends here
            self._done[id(value)] = self._replace(value)
        return self._done[id(value)]

    def _replace(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            items = [self.visit(item) for item in value]
            same = all(a is b for a, b in zip(items, value, strict=True))
            return value if same else type(value)(items)
        if isinstance(value, dict):
            return self._replace_fields(value, value)
        if isinstance(value, np.ndarray):
            return self._replace_array(value)
        own = type(value).__module__.startswith(_PACKAGES) and not isinstance(value, type)
        if not own or not hasattr(value, "__dict__"):
            return value
        changed = self._change(value)
        return self._replace_fields(changed, vars(changed))

    def _replace_fields(self, value: Any, fields: dict[Any, Any]) -> Any:
        new = {name: self.visit(item) for name, item in fields.items()}
        if all(new[name] is item for name, item in fields.items()):
            return value
        twin = copy.copy(value)
        (twin if isinstance(twin, dict) else vars(twin)).update(new)
        return twin

    def _replace_array(self, value: Array) -> Array:
        if value.dtype != object or not value.size or isinstance(value.flat[0], str):
            return value
        twin = value.copy()
        for place in np.ndindex(value.shape):
            twin[place] = self.visit(value[place])
        same = all(twin[place] is value[place] for place in np.ndindex(value.shape))
        return value if same else twin
