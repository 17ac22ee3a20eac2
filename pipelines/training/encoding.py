"""How inputs become the columns that an estimator learns from.

Without `steps`, by kind. With them, the columns that went through the same steps are one branch of
the ColumnTransformer; what takes columns together stands behind it.

Numbers are imputed with the median unless the estimator is one whose treatment of NaN survives
compilation (skl2onnx 1.20 compiles forests and trees that learnt from NaN silently wrong, and
indicator columns not at all).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import SpecError
from pipelines.spec.steps import step_names
from pipelines.training.step_makers import Near, make_step

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema
    from pipelines.spec import Candidate
    from pipelines.spec.steps import StepBase
    from pipelines.training.inspection import Traits

_TAKES_SPARSE = ("LogisticRegression",)


@dataclass
class _Column:
    """An input on its way: its kind, and the steps that it went through."""

    name: str
    kind: str
    encoded: bool = False
    sparse: bool = False
    steps: list[tuple[str, StepBase]] = field(default_factory=list)

    @property
    def chain(self) -> tuple[str, ...]:
        """The names of its steps."""
        return tuple(name for name, _ in self.steps)


def default_encoder(candidate: Candidate, schema: InputSchema, traits: Traits) -> Any:
    """Return the ColumnTransformer without steps: all float32, as compiled models compute."""
    from sklearn.compose import ColumnTransformer

    texts = [c.name for c in schema.columns if c.kind == "string"]
    numbers = [c.name for c in schema.columns if c.kind != "string"]
    sparse = candidate.estimator.rsplit(".", 1)[-1].startswith(_TAKES_SPARSE)
    columns = [
        ("numbers", _default_number(candidate, traits), numbers),
        ("texts", _default_text(candidate, sparse=sparse), texts),
    ]
    return ColumnTransformer([c for c in columns if c[2]], sparse_threshold=0.3 if sparse else 0)


def _default_number(candidate: Candidate, traits: Traits) -> Any:
    """Return what numbers go through.

    Trees gain nothing from scaling, and compiled scaling rounds another way: values would fall on
    the other side of a split.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    if candidate.encoding == "onehot" and traits.scale != "none":
        scale = StandardScaler() if traits.scale == "standard" else MinMaxScaler(clip=True)
        return Pipeline([("impute", impute), ("scale", scale)])
    return "passthrough" if traits.takes_null else impute


def _default_text(candidate: Candidate, *, sparse: bool) -> Any:
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if candidate.encoding == "onehot":
        return OneHotEncoder(handle_unknown="ignore", dtype=np.float32, sparse_output=sparse)
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)


def encoder_of(
    candidate: Candidate, schema: InputSchema, traits: Traits, seed: int
) -> tuple[Any, list[tuple[str, Any]]]:
    """Return the ColumnTransformer, and the named steps behind it that take columns together.

    Raises SpecError with the place in model.yaml where a step does not fit its columns.
    """
    if not candidate.steps:
        return default_encoder(candidate, schema, traits), []
    columns = {c.name: _Column(c.name, c.kind) for c in schema.columns}
    behind = []
    # A sampler and a test of columns take dense ones and sparse ones; products of columns are many.
    sparse = traits.takes_sparse or any(s.step == "svd" and not s.columns for s in candidate.steps)
    near = Near(sparse=sparse, classify=traits.classifies, seed=seed)
    for place, (name, step) in enumerate(
        zip(step_names(candidate.steps), candidate.steps, strict=True)
    ):
        if step.joint and not step.columns:
            behind.append((name, make_step(step, near)))
            _refuse_sparse(candidate, place, step, list(columns.values()))
        else:
            _walk(candidate, place, name, step, columns)
    if behind:  # what takes columns together ends at null
        traits = replace(traits, takes_null=False)
    branches = [
        (name, _branch(candidate, part, traits, near), names)
        for name, names, part in _group(list(columns.values()))
    ]
    from sklearn.compose import ColumnTransformer

    return ColumnTransformer(branches, sparse_threshold=0.3 if sparse else 0), behind


def _walk(
    candidate: Candidate, place: int, name: str, step: StepBase, columns: dict[str, _Column]
) -> None:
    """Send the columns that a step takes through it. Raises SpecError where one does not fit."""
    chosen = [columns[c] for c in step.columns or ()] or [
        c
        for c in columns.values()
        if (c.kind == "string") == (step.takes == "texts") and not c.encoded
    ]
    what = "texts" if step.takes == "texts" else "numbers"
    if not chosen:
        raise _refusal(candidate, place, "step", f"{step.step} finds no input that holds {what}")
    categories = step.step in {"onehot", "ordinal", "target"}
    for column in chosen:
        text = column.kind == "string" and not column.encoded
        if step.takes == "texts" and not text and not (categories and not column.encoded):
            why = "is encoded already" if column.encoded else "holds numbers"
            raise _refusal(
                candidate, place, "columns", f"{step.step} takes texts, {column.name} {why}"
            )
        if step.takes != "texts" and text:
            why = f"{step.step} takes numbers, {column.name} holds texts"
            raise _refusal(candidate, place, "columns", why)
    if step.joint and len({c.chain for c in chosen}) > 1:
        why = f"{step.step} takes columns together, and these went through different steps before"
        raise _refusal(candidate, place, "columns", why)
    if step.joint:
        _refuse_sparse(candidate, place, step, chosen)
    for column in chosen:
        column.steps.append((name, step))
        column.encoded = column.encoded or step.encodes
        column.sparse = step.step in {"tfidf", "hash"} or (column.sparse and not step.joint)


def _refuse_sparse(
    candidate: Candidate, place: int, step: StepBase, columns: list[_Column]
) -> None:
    wide = [c.name for c in columns if c.sparse]
    if wide and step.step in {"pca", "polynomial"}:
        why = f"{step.step} would make the words of {wide[0]} dense"
        raise _refusal(candidate, place, "step", why, "use svd, which takes them as they are.")


def _refusal(
    candidate: Candidate, place: int, part: str, why: str, remedy: str = "mend `columns`."
) -> SpecError:
    return SpecError(
        f"candidates.{candidate.name}.steps.{place}: {why}.",
        remedy=remedy,
        at=("candidates", candidate.name, "steps", place, part),
    )


def _group(columns: list[_Column]) -> list[tuple[str, Any, _Column]]:
    """Return the branches: name, columns, and one of the columns, which went the same way.

    Numbers and texts by themselves, in the inputs' order. Words are counted in one column each.
    """
    groups: dict[tuple[Any, ...], list[_Column]] = {}
    for column in sorted(columns, key=lambda c: c.kind == "string"):
        alone = column.name if {"tfidf", "hash"} & {s.step for _, s in column.steps} else ""
        groups.setdefault((column.kind == "string", column.chain, alone), []).append(column)
    kinds = ["texts" if key[0] else "numbers" for key in groups]
    named = []
    for kind, (key, members) in zip(kinds, groups.items(), strict=True):
        leaf = key[2] or "_".join(key[1]) or "others"
        name = kind if kinds.count(kind) == 1 else f"{kind}_{leaf}".replace("__", "_")
        words = members[0].name if key[2] else [c.name for c in members]
        named.append((name, words, members[0]))
    taken = [name for name, _, _ in named]
    return [
        (f"{name}_{i}" if taken.count(name) > 1 else name, words, one)
        for i, (name, words, one) in enumerate(named)
    ]


def _branch(candidate: Candidate, column: _Column, traits: Traits, near: Near) -> Any:
    """Return what a branch's columns go through, with what its steps leave to the default."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

    if not column.steps:
        if column.kind == "string":
            return _default_text(candidate, sparse=near.sparse and candidate.encoding == "onehot")
        return _default_number(candidate, traits)
    parts = [(name, make_step(step, near)) for name, step in column.steps]
    kinds = [step.step for _, step in column.steps]
    if "dates" in kinds:
        lacks = not traits.takes_null and "impute" not in kinds
        where = kinds.index("dates") + 1
    else:
        # Bins and components end at null, whatever the estimator takes.
        stops = {"bins", "polynomial", "pca", "svd", "select"} & set(kinds)
        lacks = column.kind != "string" and "impute" not in kinds
        lacks = lacks and (bool(stops) or not traits.takes_null) and not _takes_texts(column)
        where = 0
    if lacks:
        fill = SimpleImputer(strategy="median", keep_empty_features=True)
        parts.insert(where, ("fill", fill))
    return Pipeline(parts)


def _takes_texts(column: _Column) -> bool:
    """Tell whether its first step takes it as categories, of which null is one."""
    return column.steps[0][1].takes == "texts"
