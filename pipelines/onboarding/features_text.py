"""The text of `features.py`: a `build` that returns key, event time, inputs and target."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.onboarding.draft import Draft, Feature

WIDTH = 98


def features_text(draft: Draft) -> str:
    """Return the Python code."""
    lags = [f for f in draft.features if f.expression.startswith("lag ")]
    plain = [f for f in draft.features if f not in lags]
    what = "one row for each row of the source"
    lines = [
        f'"""Features of {draft.name}, as `perennial init` wrote them: {what}."""',
        "",
        "from __future__ import annotations",
        "",
        "import ibis",
        "from ibis import _",
        "",
        "",
        "def build(tables: dict[str, ibis.Table]) -> ibis.Table:",
        f'    """Return {_columns_in_words(draft)}."""',
        '    events = tables["events"]',
        *(_lag_lines(draft, lags) if lags else []),
        "    return events.select(",
        *_selection(draft, plain, lags),
        "    )",
    ]
    text = "\n".join(lines) + "\n"
    return text if "_." in text or "_[" in text else text.replace("from ibis import _\n", "")


def _columns_in_words(draft: Draft) -> str:
    parts = ["the key", *(["the event time"] if draft.times else []), "the inputs"]
    return f"{', '.join(parts)} and the target `{draft.target_built}`"


def _selection(draft: Draft, plain: list[Feature], lags: list[Feature]) -> list[str]:
    """Return the arguments of `select`: names first, then what is made."""
    key = draft.key or ["row_key"]
    time = [draft.times.column] if draft.times else []
    raw = [f.name for f in plain if not f.expression]
    target = draft.target.column
    names = list(dict.fromkeys([*key, *time, *raw, *(f.name for f in lags)]))
    renames = {f.name: f.expression for f in plain if f.expression}
    if draft.target_built == target:
        if target not in names:
            names.append(target)
    else:
        renames[draft.target_built] = f"_[{target!r}]"
    text = ", ".join(_quote(n) for n in names) + ","
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [*lines, *(f"        {n}={e.replace(chr(39), chr(34))}," for n, e in renames.items())]


def _quote(name: str) -> str:
    return f'"{name}"'


def _lag_lines(draft: Draft, lags: list[Feature]) -> list[str]:
    """Return the lines that join the values of earlier steps, as far back as each lag says."""
    times = draft.times
    time, step = (times.column, times.step_seconds) if times else ("", 1)
    target = draft.target.column
    lines = [
        "    # A step's number, so that an earlier step is found even where some are missing.",
        f'    step = (_.{time}.epoch_seconds() // {step}).cast("int64")',
        "    events = events.mutate(step=step)",
        f'    past = events.select("step", value=_["{target}"])',
    ]
    for lag in lags:
        back = lag.expression.removeprefix("lag ")
        lines += [
            f"    earlier = past.select(step=_.step + {back}, {lag.name}=_.value)",
            '    events = events.left_join(earlier, "step").drop("step_right")',
        ]
    return lines
