"""Which column is the event time, the target, and which together are the key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipelines.errors import RequestError
from pipelines.onboarding.columns import is_identifier_name, looks_like_an_id
from pipelines.onboarding.figures import kind_of, varies
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.onboarding.talk import Talk
    from pipelines.tasks import Task

NONE = "none"
_LATER = re.compile(r"(updat|modif|clos|end|finish|deliver|arriv|resol|due|birth|expir|until|last)")
_TARGETS = re.compile(
    r"^(target|label|class|y|outcome|churn(ed)?|returned|default(ed)?|fraud|is_fraud|response"
    r"|survived|price|sales|demand|load|cnt|count|quality)$"
)
_YES = ("yes", "y", "true", "t", "1", "ja", "j", "si", "sí", "oui", "positive", "pos", "bad",
        "churned", "churn", "fraud", "default", "late", "won", "good")  # fmt: skip
MOST_CLASSES = 50
FEW_NUMBERS = 10
"""Different whole numbers up to which a target is taken for classes."""


@dataclass(frozen=True)
class Target:
    """The target's raw column, the task, and which of two classes is the positive one.

    Classes 0 and 1, and false and true, need none.
    """

    column: str
    task: Task
    positive: Any = None


def choose_time(frame: pd.DataFrame, given: str | None, talk: Talk) -> str | None:
    """Return the column of event times; None for data without time."""
    if given == NONE:
        return None
    if given is not None:
        require(frame, [given], "--time")
        if kind_of(frame[given]) != "time":
            raise RequestError(
                f"--time {given}: the column holds no times (such as {_some(frame[given])}).",
                remedy="name another column, say how its times are written by --date-format"
                f" {given}=%d.%m.%Y, or pass --time none.",
            )
        return given
    times = [c for c in frame.columns if kind_of(frame[c]) == "time"]
    good = [c for c in times if frame[c].notna().all() and varies(frame[c])]
    for name in times:
        if name not in good:
            talk.find(f"{name}: no event time, since it is empty in some rows, or always the same")
    if not good:
        return None
    ranked = sorted(good, key=lambda c: (bool(_LATER.search(c.lower())), frame[c].mean()))
    if len(ranked) == 1:
        return ranked[0]
    return talk.choose(
        f"Which column says when a row happened: {', '.join(ranked)}?",
        ranked[0],
        [*ranked, NONE],
        "--time COLUMN",
    )


def choose_target(frame: pd.DataFrame, given: str | None, time: str | None, talk: Talk) -> Target:
    """Return the target and its task. Raises RequestError where nothing can be predicted of it."""
    if given is None:
        able = [
            c
            for c in frame.columns
            if c != time
            and kind_of(frame[c]) in {"number", "boolean", "text"}
            and varies(frame[c])
            and not looks_like_an_id(c)
            and not (kind_of(frame[c]) == "text" and frame[c].nunique() > MOST_CLASSES)
        ]
        if not able:
            raise RequestError(
                "No column looks like something to predict.", remedy="pass --target COLUMN."
            )
        named = [c for c in able if _TARGETS.match(c.lower())]
        assumed = (named or able)[-1]
        given = (
            assumed
            if len(able) == 1
            else talk.choose(
                "What is to be predicted (the target)?", assumed, able, "--target COLUMN"
            )
        )
    require(frame, [given], "--target")
    return _task_of(given, frame[given], talk)


def _task_of(name: str, column: pd.Series[Any], talk: Talk) -> Target:
    known = column.dropna()
    kind, distinct = kind_of(column), known.nunique()
    if kind in {"time", "other"} or distinct < 2:  # noqa: PLR2004
        what = "always the same" if distinct == 1 else "empty" if not distinct else "no such value"
        raise RequestError(
            f"--target {name}: it holds nothing to predict ({what}).",
            remedy="name a column with numbers, or with at least two classes.",
        )
    if kind == "boolean":
        return Target(name, "binary")
    if distinct == 2:  # noqa: PLR2004
        values = sorted(known.unique().tolist(), key=str)
        if set(values) == {0, 1}:
            return Target(name, "binary")
        return Target(name, "binary", _positive(name, known, values, talk))
    if kind == "text":
        if distinct > MOST_CLASSES:
            raise RequestError(
                f"--target {name}: it holds {distinct:,} different texts, too many classes.",
                remedy="name another column; or numbers among them may be written in another way:"
                " pass --decimal or --missing.",
            )
        return Target(name, "multiclass")
    if distinct <= FEW_NUMBERS and pd.api.types.is_integer_dtype(column):
        words = f"{name} holds {distinct} whole numbers: are they classes or amounts?"
        answer = talk.choose(words, "amounts", ["classes", "amounts"], "--task multiclass")
        return Target(name, "multiclass" if answer == "classes" else "regression")
    return Target(name, "regression")


def _positive(name: str, known: pd.Series[Any], values: list[Any], talk: Talk) -> Any:
    words = [v for v in values if str(v).strip().lower() in _YES]
    if len(words) == 1:
        return words[0]
    rarer = known.value_counts().idxmin()
    answer = talk.choose(
        f"{name} is {values[0]!r} or {values[1]!r}: the probability of which one is predicted?",
        str(rarer),
        [str(v) for v in values],
        "--positive VALUE",
    )
    return next(v for v in values if str(v) == answer)


def choose_key(
    frame: pd.DataFrame, given: Sequence[str], time: str | None, target: str, talk: Talk
) -> list[str]:
    """Return the columns that name a row; none where only the whole row does (`key: row`)."""
    if given:
        require(frame, given, "--key")
        _check_key(frame, list(given))
        return list(given)
    key = _unique_key(frame, time, target)
    if not key:
        talk.find(_without_key(frame, time, target))
    return key


def _without_key(frame: pd.DataFrame, time: str | None, target: str) -> str:
    """Return why the key is made of each row's content."""
    wild = [
        c
        for c in frame.columns
        if c not in {target, time}
        and not is_identifier_name(c)
        and (kind_of(frame[c]) == "text" or pd.api.types.is_integer_dtype(frame[c]))
        and frame[c].notna().all()
        and frame[c].is_unique
        and _is_short(frame[c])
    ]
    if wild:
        return (
            f"{wild[0]} names each row, but a key's name has letters, digits and _ only: rename it"
            " in the file to make it the key. Until then the key is made of each row's content."
        )
    return "No column, and no pair of them, names each row: the key is made of its content."


def _unique_key(frame: pd.DataFrame, time: str | None, target: str) -> list[str]:
    able = [
        c
        for c in frame.columns
        if c not in {target, time}
        and is_identifier_name(c)
        and frame[c].notna().all()
        and (kind_of(frame[c]) == "text" or pd.api.types.is_integer_dtype(frame[c]))
    ]
    single = [c for c in able if frame[c].is_unique and _is_short(frame[c])]
    if single:
        return [min(single, key=lambda c: not looks_like_an_id(c))]
    if time is None:
        return []
    if frame[time].is_unique:
        return [time]
    for name in sorted(able, key=lambda c: not looks_like_an_id(c))[:8]:
        if not frame.duplicated([name, time]).any():
            return [name, time]
    for pair in combinations([c for c in able if looks_like_an_id(c)][:5], 2):
        if not frame.duplicated([*pair, time]).any():
            return [*pair, time]
    return []


def _is_short(column: pd.Series[Any]) -> bool:
    """Tell whether the values are as short as names of rows are: a remark may be unique too."""
    return kind_of(column) != "text" or column.str.len().max() <= 64  # noqa: PLR2004


def _check_key(frame: pd.DataFrame, key: list[str]) -> None:
    wild = [c for c in key if not is_identifier_name(c)]
    if wild:
        raise RequestError(
            f"--key {wild[0]}: a key's name has letters, digits and _ only.",
            remedy="rename the column in the file, or leave --key out.",
        )
    empty = [c for c in key if frame[c].isna().any()]
    if empty:
        raise RequestError(
            f"--key {empty[0]}: "
            f"{how_many(int(frame[empty[0]].isna().sum()), 'row has', 'rows have')} none.",
            remedy="name columns that are always filled, or leave --key out.",
        )
    twice = int(frame.duplicated(key).sum())
    if twice:
        raise RequestError(
            f"--key {', '.join(key)}: {how_many(twice, 'row has', 'rows have')} the key of"
            " an earlier row.",
            remedy="name further columns by --key, or leave it out.",
        )


def require(frame: pd.DataFrame, names: Sequence[str], option: str) -> None:
    """Raise RequestError where a column is not there."""
    import difflib

    for name in names:
        if name not in frame.columns:
            near = difflib.get_close_matches(name, list(frame.columns), 1)
            shown = ", ".join(map(str, frame.columns[:12]))
            raise RequestError(
                f"{option} {name}: there is no such column.",
                remedy=f"did you mean {near[0]!r}?" if near else f"the columns are: {shown}.",
            )


def _some(column: pd.Series[Any]) -> str:
    return ", ".join(repr(v) for v in column.dropna().head(2).tolist())
