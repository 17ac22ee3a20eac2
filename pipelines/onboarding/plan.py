"""From a table to the model that is suggested: roles, batches, numbers that fit the data's size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.intervals import containing, floor, following, iso
from pipelines.onboarding.batches import batch_starts, choose_cut, gaps
from pipelines.onboarding.choices import Target, choose_key, choose_target, choose_time, require
from pipelines.onboarding.columns import Roles, is_identifier_name, roles_of
from pipelines.onboarding.draft import Draft, Feature, Times
from pipelines.onboarding.figures import kind_of
from pipelines.science.leaks import find_leaks
from pipelines.science.rhythm import rhythms_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.onboarding.look import Look
    from pipelines.onboarding.talk import Talk

LEAK_ROWS = 6_000
"""Rows on which leaks are looked for; of more, as many as these are drawn."""
MOST_WINDOW = {"hour": 24 * 28, "day": 180, "week": 104, "month": 24}
PARTIAL = 0.2
"""Share of a middle batch's rows below which the first or the last batch is not whole."""
HELD_OUT, ROWS_TO_JUDGE = 0.15, 200


@dataclass(frozen=True)
class Wishes:
    """What the command line says of the data."""

    target: str | None = None
    time: str | None = None
    key: Sequence[str] = ()
    positive: str | None = None
    task: str | None = None
    keep: Sequence[str] = ()
    """Columns that are inputs though they look like leaks."""


def frame_of(look: Look) -> pd.DataFrame:
    """Return the table as pandas' own types: times in UTC without a zone, decimals as floats."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for field in look.table.schema:
        column = look.table[field.name]
        if pa.types.is_timestamp(field.type):
            series = column.cast(pa.timestamp("us")).to_pandas()
        elif pa.types.is_decimal(field.type):
            series = column.cast(pa.float64()).to_pandas()
        elif pa.types.is_boolean(field.type) and column.null_count:
            series = column.cast(pa.float64()).to_pandas()
        else:
            series = column.to_pandas()
        columns[field.name] = series
    return pd.DataFrame(columns)


def plan_model(name: str, look: Look, wishes: Wishes, place: str, talk: Talk) -> Draft:
    """Return the suggestion. Raises RequestError in words where the data hold none."""
    frame = frame_of(look)
    require(frame, list(wishes.keep), "--keep")
    time = choose_time(frame, wishes.time, talk)
    target = _with_wishes(choose_target(frame, wishes.target, time, talk), wishes, frame)
    _say(frame, time, target, look, talk)
    key = choose_key(frame, wishes.key, time, target.column, talk)
    if time is not None and not is_identifier_name(time):
        time = _rename_time(look, frame, time)
    roles = roles_of(frame, [*key, target.column, *([time] if time else [])])
    _leave_out_leaks(frame, time, target, roles, wishes, talk)
    draft = Draft(
        name=name,
        place=place,
        rows=len(frame),
        source=look.source,
        target=target,
        target_built=_built_name(target.column, set()),
        times=_times(frame, time, target, talk) if time else None,
        key=key,
        left_out=roles.left_out,
        personal_key=[c for c in key if c in _personal(frame, key)],
    )
    draft.features = _features(frame, roles, draft)
    _warn_of(roles, talk)
    _fit_to_size(draft, frame)
    return draft


def _with_wishes(target: Target, wishes: Wishes, frame: pd.DataFrame) -> Target:
    task: Any = wishes.task or target.task
    if wishes.positive is None:
        return Target(target.column, task, target.positive if task == "binary" else None)
    values = frame[target.column].dropna().unique().tolist()
    positive = next((v for v in values if str(v) == wishes.positive), None)
    if positive is None:
        from pipelines.errors import RequestError

        shown = ", ".join(repr(v) for v in values[:6])
        raise RequestError(
            f"--positive {wishes.positive}: {target.column} has no such value.",
            remedy=f"name one of {shown}.",
        )
    return Target(target.column, task, positive)


def _say(frame: pd.DataFrame, time: str | None, target: Target, look: Look, talk: Talk) -> None:
    talk.find(f"{len(frame):,} rows, {len(frame.columns)} columns: all of them were looked at")
    talk.find(
        f"event time: {time}"
        if time
        else "no event time: the data are a snapshot, judged on a share of its rows"
    )
    talk.find(f"target: {target.column}, a {target.task} task")
    if time in look.zoneless and "timezone" not in look.source:
        talk.assume(
            f"{time} has no zone. Assumed: UTC. Else pass --timezone, such as Europe/Berlin."
        )


def _rename_time(look: Look, frame: pd.DataFrame, time: str) -> str:
    """Return the time's new name: a spec can name letters, digits and _ only."""
    from pipelines.errors import RequestError

    kind = look.source.get("format")
    if look.source["kind"] == "sql" or kind in {"parquet", "arrow", "delta", "json"}:
        raise RequestError(
            f"The event time is called {time!r}; a spec can name letters, digits and _ only.",
            remedy="rename the column in the source"
            + (" (SELECT … AS seen_at)." if look.source["kind"] == "sql" else "."),
        )
    new = _built_name(time, set(frame.columns))
    names = [new if c == time else c for c in frame.columns]
    look.source["names"] = names
    look.types = {new if c == time else c: t for c, t in look.types.items()}
    if time in look.source.get("dates", {}):
        look.source["dates"][new] = look.source["dates"].pop(time)
    look.table = look.table.rename_columns(names)
    frame.rename(columns={time: new}, inplace=True)  # noqa: PD002 -- the caller's frame too
    return new


def _leave_out_leaks(  # noqa: PLR0913 -- what a search for leaks needs
    frame: pd.DataFrame,
    time: str | None,
    target: Target,
    roles: Roles,
    wishes: Wishes,
    talk: Talk,
) -> None:
    """Move what gives the target away from the inputs to what is left out, and warn of it."""
    known = frame[frame[target.column].notna()]
    if len(known) > LEAK_ROWS:
        known = known.iloc[np.sort(np.random.default_rng(0).permutation(len(known))[:LEAK_ROWS])]
    known = known.reset_index(drop=True)
    suspects = [
        c
        for c in frame.columns
        if c not in {time, target.column} and kind_of(frame[c]) != "other" and frame[c].notna().any()
    ]
    leaks = find_leaks(
        {c: known[c] for c in suspects},
        known[target.column],
        classes=target.task != "regression",
        event=known[time] if time else None,
        identifiers=frozenset(roles.identifiers),
    )
    for leak in leaks:
        if leak.column in wishes.keep:
            continue
        left = [c for c in roles.inputs if c != leak.column]
        talk.warn(f"{leak.column} may give the answer away: {leak.reason}.")
        if leak.column in roles.inputs and left:
            roles.inputs = left
            roles.left_out[leak.column] = f"LEAK? {leak.reason}"
        elif leak.column in roles.left_out:
            roles.left_out[leak.column] += f"; LEAK? {leak.reason}"


def _personal(frame: pd.DataFrame, key: list[str]) -> list[str]:
    from pipelines.onboarding.personal import personal_data

    return [c for c in key if personal_data(c, frame[c])]


def _warn_of(roles: Roles, talk: Talk) -> None:
    for name, what in roles.personal.items():
        talk.warn(f"{name} holds personal data ({what}); it is left out of the inputs.")
    for word, start in (
        ("identifiers", "an identifier"), ("the same in all rows", "the same in"),
        ("near-duplicates", "says the same as"), ("empty", "empty in"),
    ):  # fmt: skip
        names = [n for n, reason in roles.left_out.items() if reason.startswith(start)]
        if names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")  # noqa: PLR2004
            talk.find(f"left out, {word}: {shown}")


def _built_name(raw: str, taken: set[str]) -> str:
    """Return a name that a spec can hold, and that is not taken."""
    signs = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
    plain = raw if is_identifier_name(raw) else raw.translate(str.maketrans(signs))
    name = re.sub(r"[^A-Za-z0-9_]+", "_", plain).strip("_")[:60] or "column"
    name = name if not name[0].isdigit() else f"c_{name}"
    lower, number, result = {t.lower() for t in taken}, 2, name
    while result.lower() in lower:
        result, number = f"{name[:56]}_{number}", number + 1
    return result


def _times(frame: pd.DataFrame, time: str, target: Target, talk: Talk) -> Times:
    """Return how the rows are cut by time, with numbers of batches that fit."""
    cut, moments = choose_cut(frame[time]), frame[time]
    counts = batch_starts(moments, cut.kind).value_counts().sort_index()
    first = floor(moments.min().to_pydatetime(), cut.kind)
    last = floor(moments.max().to_pydatetime(), cut.kind)
    until, reason = following(last, cut.kind), "the end of what the file holds"
    whole = len(counts)
    if len(counts) > 4 and counts.iloc[-1] < PARTIAL * cut.rows:  # noqa: PLR2004
        until, reason, whole = last, f"the last {cut.kind} is not whole yet", whole - 1
        counts = counts.iloc[:-1]
    if len(counts) > 4 and counts.iloc[0] < PARTIAL * cut.rows:  # noqa: PLR2004
        first, whole, counts = following(first, cut.kind), whole - 1, counts.iloc[1:]
    empty = gaps(moments, cut.kind)
    numeric = kind_of(frame[target.column]) in {"number", "boolean"}
    rhythms = rhythms_of(
        moments.reset_index(drop=True), frame[target.column].astype(float) if numeric else None
    )
    total = len(complete_batches(first, until, cut.kind))
    holdout = _holdout(counts.to_numpy(), total)
    talk.find(
        f"batches: a {cut.kind} each, {total} of them, about {cut.rows:,} rows in each"
        + (f"; {empty} are empty" if empty else "")
    )
    if rhythms:
        talk.find(f"rhythm: of the {', the '.join(rhythms)}")
    return Times(
        column=time,
        batch=cut.kind,
        first=iso(first),
        until=iso(until),
        until_reason=reason,
        gaps=empty,
        window=max(1, min(total - holdout, MOST_WINDOW[cut.kind])),
        holdout=holdout,
        step_seconds=_step(frame, time, target),
        rhythms=list(rhythms),
    )


def complete_batches(first: Any, until: Any, kind: Any) -> list[Any]:
    """Return the batches from `first` to `until`."""
    batches, current = [], containing(first, kind)
    while current.start < until:
        batches.append(current)
        current = containing(current.end, kind)
    return batches


def _holdout(counts: np.ndarray[Any, Any], total: int) -> int:
    """Return how many of the newest batches judge: a share of them, and rows enough."""
    wanted = max(1, round(HELD_OUT * total))
    rows = np.cumsum(counts[::-1])
    enough = int(np.searchsorted(rows, ROWS_TO_JUDGE)) + 1
    return int(max(1, min(max(wanted, enough), max(1, total // 3))))


def _step(frame: pd.DataFrame, time: str, target: Target) -> int:
    """Return the seconds between rows of a plain series; 0 for other data.

    A plain series has one row at each time and at most one column beside time and target.
    """
    if len(frame.columns) > 3 or not frame[time].is_unique or target.task != "regression":  # noqa: PLR2004
        return 0
    steps = frame[time].sort_values().diff().dropna().dt.total_seconds()
    step = int(steps.median()) if len(steps) else 0
    return step if step >= 60 and (steps == step).mean() > 0.8 else 0  # noqa: PLR2004


def _features(frame: pd.DataFrame, roles: Roles, draft: Draft) -> list[Feature]:
    """Return the built inputs: the columns that are left, and what the event time says."""
    taken = {draft.target_built, *draft.key, "row_key"}
    if draft.times:
        taken.add(draft.times.column)
    features = []
    for raw in roles.inputs:
        name = _built_name(raw, taken)
        taken.add(name)
        expression = "" if name == raw else f"_[{raw!r}]"
        if "decimal" in str(frame.attrs.get(raw, "")):
            expression = f"_[{raw!r}].cast('float64')"
        features.append(Feature(name, expression))
    if draft.times is not None:
        features += _time_features(frame[draft.times.column], draft.times.column, taken)
    if draft.times is not None and draft.times.step_seconds:
        features += _lags(draft, taken)
    return features[:500]


def _time_features(moments: pd.Series[Any], column: str, taken: set[str]) -> list[Feature]:
    parts = (
        ("hour_of_day", f"_.{column}.hour()", moments.dt.hour),
        ("day_of_week", f"_.{column}.day_of_week.index()", moments.dt.dayofweek),
        ("month_of_year", f"_.{column}.month()", moments.dt.month),
    )
    enough = {"hour_of_day": 3, "day_of_week": 14, "month_of_year": 365}
    days = (moments.max() - moments.min()).days
    return [
        Feature(_built_name(name, taken), expression)
        for name, expression, values in parts
        if values.nunique() > 1 and days >= enough[name]
    ]


LAGS = ((1, "before"), (86_400, "day_before"), (7 * 86_400, "week_before"))


def _lags(draft: Draft, taken: set[str]) -> list[Feature]:
    """Return the earlier values of a plain series: `build` joins them by the number of the step."""
    step = draft.times.step_seconds if draft.times else 0
    lags = {}
    for seconds, word in LAGS:
        back = 1 if seconds == 1 else seconds // step if seconds % step == 0 else 0
        if back and back not in lags:
            lags[back] = _built_name(f"{draft.target_built}_{word}", taken)
    return [Feature(name, f"lag {back}") for back, name in lags.items()]


def _fit_to_size(draft: Draft, frame: pd.DataFrame) -> None:
    """Set what would else refuse small data: rows to judge on, folds, and the watch's window."""
    target = frame[draft.target.column]
    times = draft.times
    if times is None:
        held = int(0.2 * target.notna().sum())
        draft.batch_rows = len(frame)
    else:
        counts = batch_starts(frame[times.column][target.notna()], times.batch).value_counts()
        inside = counts.sort_index()
        until = pd.Timestamp(times.until).tz_localize(None)
        inside = inside[inside.index < until]
        held = int(inside.tail(times.holdout).sum())
        draft.batch_rows = int(inside.median()) if len(inside) else 0
    draft.min_rows = max(2, min(100, held // 2))
    draft.folds = 3 if len(frame) >= 100 else 2  # noqa: PLR2004
    draft.floor = _constant_score(target.dropna(), draft.target)
    if times is not None:
        turn = {("hour", "day"): 24, ("day", "week"): 7}
        whole = max((turn.get((times.batch, r), 1) for r in times.rhythms), default=1)
        few = int(np.ceil(100 / max(draft.batch_rows, 1)))
        draft.drift_window = max(whole, min(few, 30))
    draft.drift_min_rows = max(30, min(500, draft.drift_window * draft.batch_rows // 2))


def _constant_score(target: pd.Series[Any], choice: Target) -> float:
    """Return what the best constant answer scores: the entropy of the classes, or the mean error."""
    if choice.task == "regression":
        values = target.to_numpy(dtype=float)
        return float(np.abs(values - np.median(values)).mean())
    shares = target.value_counts(normalize=True).to_numpy()
    return float(-(shares * np.log(shares)).sum())
