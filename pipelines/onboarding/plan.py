"""From a table to the model that is suggested: roles, batches, numbers that fit the data's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.onboarding.batches import batch_starts
from pipelines.onboarding.built import built_features, built_name
from pipelines.onboarding.choices import Target, choose_key, choose_target, choose_time, require
from pipelines.onboarding.columns import Roles, is_identifier_name, roles_of
from pipelines.onboarding.draft import Draft
from pipelines.onboarding.figures import kind_of
from pipelines.onboarding.frames import frame_of
from pipelines.onboarding.times import cut_by_time
from pipelines.science.leaks import find_leaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.onboarding.talk import Talk
    from pipelines.onboarding.typed import Look

LEAK_ROWS = 6_000
"""Rows on which leaks are looked for; of more, as many as these are drawn."""


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
        target_built=built_name(target.column, set()),
        times=cut_by_time(frame, time, target, talk) if time else None,
        key=key,
        left_out=roles.left_out,
        identifiers=sorted(roles.identifiers),
        personal_key=[c for c in key if c in _personal(frame, key)],
    )
    draft.features = built_features(frame, roles, draft)
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
    new = built_name(time, set(frame.columns))
    names = [new if c == time else c for c in frame.columns]
    look.source["names"] = names
    look.types = {new if c == time else c: t for c, t in look.types.items()}
    if time in look.source.get("dates", {}):
        look.source["dates"][new] = look.source["dates"].pop(time)
    look.table = look.table.rename_columns(names)
    frame.rename(columns={time: new}, inplace=True)  # noqa: PD002 -- the caller's frame too
    return new


def _leave_out_leaks(
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
        if c not in {time, target.column}
        and kind_of(frame[c]) != "other"
        and frame[c].notna().any()
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
        if not leak.is_sure and leak.column in roles.inputs and left:
            question = f"{leak.column}: is it known before the event? {leak.reason}."
            words = f"--keep {leak.column} where it is known before"
            if talk.choose(question, "no", ["no", "yes"], words) == "yes":
                continue
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
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""  # noqa: PLR2004
            shown = ", ".join(names[:8]) + more
            talk.find(f"left out, {word}: {shown}")


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
    """Return what the best constant scores: the entropy of the classes, or the mean error."""
    if choice.task == "regression":
        values = target.to_numpy(dtype=float)
        return float(np.abs(values - np.median(values)).mean())
    shares = target.value_counts(normalize=True).to_numpy()
    return float(-(shares * np.log(shares)).sum())
