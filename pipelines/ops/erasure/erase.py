"""Erase people: plan, write the plan down, carry it out, look again, and say so in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import BadData, Busy, RequestError
from pipelines.inference_log.personal_data import PersonalKey
from pipelines.inference_log.rotated_entries import segments_of
from pipelines.inference_log.rotated_index import RotatedIndex
from pipelines.inference_log.rotation import rotate
from pipelines.intervals import iso
from pipelines.ledger import Erasure, erasures_of
from pipelines.ops.erasure.outside import clean_outside
from pipelines.ops.erasure.plan import key_column, make_plan, sought_for
from pipelines.ops.erasure.rows import without
from pipelines.ops.erasure.staying import objects_that_stay, tables_of
from pipelines.ops.erasure.work import Work, read_work, work_file, write_work
from pipelines.ops.lock import hold_state
from pipelines.ops.traces.content import holds
from pipelines.ops.traces.search import search, segment_holds
from pipelines.ops.traces.sought import Sought, can_be_sought
from pipelines.refs import sha256
from pipelines.replay.workroom import forget_replays
from pipelines.tables import from_parquet, to_parquet
from pipelines.versions.port import FeatureFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipelines.context import Context
    from pipelines.inference_log.rotated_entries import LogKind

LONGEST = 500
"""Characters that a person's key may have."""
NAMED_LEFT = 50
"""Things with traces left that the ledger names; `perennial traces` names all."""


@dataclass(frozen=True)
class Erased:
    """What came of an erasure: what it did, and what is left.

    `again` is the entry by which the same people were erased before, where nothing was left to do.
    """

    rows: int
    batches: int
    objects: int
    versions: list[str]
    left: list[str]
    unseen: list[str]
    entry: int
    again: bool = False


def erase(context: Context, values: Sequence[str], column: str | None, now: datetime) -> Erased:
    """Erase people, known by a column, from all that the model has stored.

    An erasure that was cut off is finished first. Raises RequestError where nobody of these keys is
    there or ever was erased, Busy where the server holds a log open that names them, or another
    operation is at work.
    """
    named = _valid_keys(values)
    with hold_state(context.settings):
        forget_replays(context.settings)
        pending = read_work(context.settings, context.spec.name)
        done = _carry_out(context, pending) if pending is not None else None
        by = key_column(context, column)
        if done and pending and not done.left and _is_same(pending, by, named):
            return done
        _close_log(context, by, named)
        run = f"erase__{iso(now)}"
        plan = make_plan(context, run, by, named)
        if not (plan.manifests or plan.replace or plan.drop_objects):
            return _nobody(context, plan, cleans=True)
        _refuse_open(context, _traces_sought(context, plan))
        write_work(context.settings, context.spec.name, plan)
        return _carry_out(context, plan)


def look(context: Context, values: Sequence[str], column: str | None, now: datetime) -> Work:
    """Return what `erase` would do; nothing is changed but that new objects are put, which nobody
    names. Raises as `erase` does.
    """
    named = _valid_keys(values)
    plan = make_plan(context, f"erase__{iso(now)}", key_column(context, column), named)
    if not (plan.manifests or plan.replace or plan.drop_objects):
        _nobody(context, plan, cleans=False)
    return plan


def _valid_keys(values: Sequence[str]) -> list[str]:
    for value in values:
        if not can_be_sought(value) or len(value) > LONGEST or "\x00" in value:
            raise RequestError(
                f"{value[:60]!r} is no key of a person.",
                remedy=f"name a value of the column, of at most {LONGEST} characters.",
            )
    return sorted(set(values))


def _is_same(work: Work, column: str, values: list[str]) -> bool:
    return (work.column, work.values) == (column, values)


def _hashes(context: Context, column: str, values: Sequence[str]) -> list[str]:
    """Return the people as the ledger names them: keyed hashes of column and key."""
    key = PersonalKey(context.settings.personal_key)
    return sorted(key.hash_of(f"{column}={value}") for value in values)


def _nobody(context: Context, plan: Work, *, cleans: bool) -> Erased:
    """Return by which entry these people were erased; raise RequestError where they never were.

    `cleans`: what MLflow and Airflow show of them goes.
    """
    people = set(_hashes(context, plan.column, plan.values))
    name = context.spec.name
    for entry in reversed(erasures_of(context.ports.ledger, name)):
        before = entry.read(Erasure)
        if people <= set(before.people):
            sought = _sought(context, plan)
            # What a run that was not over has shown since then
            outside = clean_outside(context.settings, name, sought) if cleans else 0
            found = search(context.settings, context.ports, sought)
            return Erased(
                rows=0,
                batches=0,
                objects=outside,
                versions=before.versions,
                left=[f"{t.place}: {t.name}" for t in found.traces],
                unseen=found.unseen,
                entry=entry.seq,
                again=True,
            )
    raise RequestError(
        f"No batch of {name} has a row whose {plan.column} is {', '.join(plan.values)[:200]}, nor"
        " has its inference log. Nothing was changed.",
        remedy="check the key's spelling, and --column; `perennial traces` looks everywhere.",
    )


def _sought(context: Context, work: Work) -> list[Sought]:
    return sought_for(context, work.column, work.values, set(work.row_keys))


def _traces_sought(context: Context, work: Work) -> list[Sought]:
    """Return what tells the people's rows, and the labels of these that name nobody."""
    return [*_sought(context, work), Sought(frozenset(work.labels), frozenset({"identity"}))]


def _close_log(context: Context, column: str, values: Sequence[str]) -> None:
    """Rotate what is closed of the log; raise Busy where an open part names the people by key."""
    rotate(context.ports.store, context.spec.name, catch_up=lambda _: None)
    keys = set(values) if context.spec.key == [column] else set()
    _refuse_open(context, sought_for(context, column, values, keys))


def _refuse_open(context: Context, sought: Sequence[Sought]) -> None:
    store, model = context.ports.store, context.spec.name
    kinds: tuple[LogKind, ...] = ("predictions", "labels")
    for kind in kinds:
        for name in segments_of(store, model, kind):
            if store.is_open(name) and segment_holds(name, store.read_segment(name) or b"", sought):
                raise Busy(
                    f"The server of {model} still writes {name}, which names the person.",
                    remedy="stop the server (or wait until it begins the next segment), run again.",
                )


def _carry_out(context: Context, work: Work) -> Erased:
    """Do what the plan says; each part may be cut off and done again."""
    store, name = context.ports.store, context.spec.name
    sought, traces = _sought(context, work), _traces_sought(context, work)
    _refuse_open(context, traces)
    for key, text in work.replace.items():
        if store.read(key) != text.encode():
            store.remove("entries", key)
            store.publish(key, text.encode())
    for key in work.drop_entries:
        store.remove("entries", key)
    # An ingest may have brought the rows back since the plan: what it names is planned anew
    stays = objects_that_stay(context) | tables_of(context)
    removed = [uri for uri in work.drop_objects if uri not in stays]
    for uri in removed:
        store.remove("objects", uri)
    revision, dropped = _erase_features(context, sought)
    _drop_indexes(context, traces)
    outside = clean_outside(context.settings, name, sought)
    found = search(
        context.settings, context.ports, traces, leave_out=[work_file(context.settings, name)]
    )
    left = [f"{trace.place}: {trace.name}" for trace in found.traces]
    entry = context.ports.ledger.append(
        name,
        work.run,
        Erasure(
            column=work.column,
            people=_hashes(context, work.column, work.values),
            rows=work.rows,
            batches=len(work.manifests),
            objects=len(removed) + dropped + outside,
            manifests=work.manifests_ref,
            versions=work.versions,
            revisions=work.revisions,
            features_revision=revision,
            left=left[:NAMED_LEFT],
        ),
    )
    work_file(context.settings, name).unlink(missing_ok=True)
    context.log.info("%s: %d rows erased from %d batches", name, work.rows, len(work.manifests))
    return Erased(
        rows=work.rows,
        batches=len(work.manifests),
        objects=len(removed) + dropped + outside,
        versions=work.versions,
        left=left,
        unseen=found.unseen,
        entry=entry.seq,
    )


def _erase_features(context: Context, sought: Sequence[Sought]) -> tuple[str, int]:
    """Commit the features without the people, then drop what earlier revisions had of them.

    Return the new revision ("" where nothing was to commit) and how many objects went. The next
    retraining builds the features of the changed batches anew.
    """
    versions, name = context.ports.versions, context.spec.name
    files = versions.files(name)
    if not files:
        return "", 0
    changes, revision = {}, ""
    newest = versions.commit(name, {}, "")  # a commit of nothing says which is the newest
    for batch, file in files.items():
        (path,) = versions.fetch(name, newest, [batch])
        kept = without(from_parquet(path.read_bytes()), sought)
        if kept is not None:
            data = to_parquet(kept)
            key = sha256(f"{file.key} erased".encode())
            changes[batch] = (
                FeatureFile(key=key, sha256=sha256(data), rows=kept.num_rows),
                data,
            )
    if changes:
        revision = versions.commit(name, changes, f"{name} without erased people").revision
    return revision, versions.drop(name, lambda data: _is_of(data, sought))


def _is_of(data: bytes, sought: Sequence[Sought]) -> bool:
    """Tell whether a file of features has rows of the people, told as those of a batch are; where
    it cannot be read, whether it holds what is sought.
    """
    try:
        return without(from_parquet(data), sought) is not None
    except BadData:
        return holds(data, sought) is True


def _drop_indexes(context: Context, sought: Sequence[Sought]) -> None:
    """Remove what is made again by itself: the labels' indexes, downloads that name the people."""
    state = context.settings.state
    rotated = RotatedIndex(context.settings, context.ports.store, context.spec.name)
    for index in (state / "serving" / "feedback.db", rotated.path):
        for path in (index, index.with_name(index.name + "-journal")):
            path.unlink(missing_ok=True)
    for path in (state / "cache").rglob("*"):
        # A download that is too much to be unpacked goes too.
        if (
            path.is_file()
            and not path.is_symlink()
            and holds(path.read_bytes(), sought) is not False
        ):
            path.unlink()
