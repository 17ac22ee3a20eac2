"""`log`: what a model was asked and what it answered, with the labels that came.

And the log's rotation.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import context_for, set_up_logging
from pipelines.errors import RequestError
from pipelines.intervals import iso
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.inference_log.join import Counts

SHOWN = 50
"""Rows that a person gets where none asked for another number."""

AT_ONCE = 10_000
"""Rows that become Python objects at the same time."""

COLUMNS = ("at", "event_time", "identity", "version", "prediction", "label", "label_from")

Model = Annotated[str, typer.Argument(help="The model: a folder's name under models/.")]
Since = Annotated[
    str | None,
    typer.Option(help="Only events from this moment on, such as 2013-04-01 (default: all)."),
]
Until = Annotated[str | None, typer.Option(help="Only events before this moment (default: all).")]
WithLabels = Annotated[
    bool, typer.Option("--labels", help="One row per event, with the label that feedback brought.")
]
Limit = Annotated[
    int | None,
    typer.Option(
        help=(
            f"How many of the newest answers; 0 for the counts alone (default: {SHOWN}, all with"
            " --json)."
        ),
        min=0,
    ),
]
Rotate = Annotated[
    bool, typer.Option("--rotate", help="Rotate closed segments to Parquet instead.")
]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(log)


def log(
    model: Model,
    *,
    since: Since = None,
    until: Until = None,
    labels: WithLabels = False,
    limit: Limit = None,
    rotate: Rotate = False,
    as_json: AsJson = False,
) -> None:
    """Show what a model was asked and answered, newest last.

    The rows come from the inference log.
    Times are UTC; --since and --until go by the time of the event. Rows of one key (or of one
    request and row) are one event: --labels shows each once, with its last answer before its label
    came, and says how many are labelled. Labels from the model's own source are joined by
    `perennial drift`, not here.

    --json prints one JSON object per row, with the inputs as they stand in the log (personal ones
    hashed or left out), and at last one object {"counts": …} with what was counted, and with
    "damage", which names what could not be read.

    --rotate turns segments that no server holds open any more into Parquet, by release and day.
    Nothing else changes: what is shown afterwards is the same.
    """
    context = context_for(model)
    set_up_logging(context.settings.log_level)
    if rotate:
        _rotate(context, as_json=as_json)
        return
    rows, counts, damage = _read_rows(
        context, _parse_moment("--since", since), _parse_moment("--until", until), labels=labels
    )
    if as_json:
        _print_lines(_newest(rows, limit), {"counts": counts, "damage": damage})
        return
    subject = _newest(rows, SHOWN if limit is None else limit)
    columns = [c for c in COLUMNS if c in subject.column_names]
    if subject.num_rows:
        title = f"Inference log of {model}: the newest {subject.num_rows:,} of {rows.num_rows:,}"
        print_table(
            title,
            columns,
            [[_cell(row[c]) for c in columns] for row in subject.select(columns).to_pylist()],
        )
    typer.echo("\n".join([_sentence(counts), *damage]))


def _rotate(context: Context, *, as_json: bool) -> None:
    from pipelines.inference_log.label_index import Index
    from pipelines.inference_log.rotated_index import RotatedIndex
    from pipelines.inference_log.rotation import rotate

    store, index = context.ports.store, Index(context.settings, context.ports.store)
    # also where there is nothing to rotate: an index that was lost is made anew
    index.prepare_rotation(context.spec.name)
    read_rotated = RotatedIndex(context.settings, store, context.spec.name).read_rotated
    rotation = rotate(
        store, context.spec.name, catch_up=index.prepare_rotation, read_rotated=read_rotated
    )
    if as_json:
        print_json(
            {
                "model": context.spec.name,
                "entries": rotation.entries,
                "rows": rotation.rows,
                "segments": rotation.segments,
            }
        )
    elif rotation.entries:
        typer.echo(
            f"{how_many(rotation.segments, 'segment')} with"
            f" {how_many(rotation.rows, 'row or label', 'rows and labels')} became"
            f" {how_many(rotation.entries, 'Parquet object')}."
        )
    else:
        typer.echo("Nothing to rotate: there is no closed segment that was not rotated yet.")


def _parse_moment(option: str, text: str | None) -> datetime | None:
    """Return the moment that an option holds, in UTC. Raises RequestError naming the option."""
    from pydantic import TypeAdapter, ValidationError

    from pipelines.intervals import Moment

    if text is None:
        return None
    try:
        moment: datetime = TypeAdapter(Moment).validate_python(text)
    except ValidationError as error:
        raise RequestError(
            f"{option} {text!r} is no moment.",
            remedy="write one such as 2013-04-01 or 2013-04-01T12:00:00Z.",
        ) from error
    return moment


def _read_rows(
    context: Context, since: datetime | None, until: datetime | None, *, labels: bool
) -> tuple[pa.Table, dict[str, Any], list[str]]:
    """Return the rows, what was counted, and what could not be read."""
    from pipelines.inference_log.join import join_labels
    from pipelines.inference_log.reader import read_labels, read_log

    store, model = context.ports.store, context.spec.name
    log = read_log(store, model, since=since, until=until)
    if not labels:
        return (
            log.rows,
            {
                "predicted": log.rows.num_rows,
                "torn": log.torn,
                "damaged": len(log.damage),
            },
            log.damage,
        )
    label_log = read_labels(store, model)
    matches = join_labels(log, label_log)
    damage = [*log.damage, *label_log.damage]
    return matches.rows, _with_coverage(matches.counts), damage


def _with_coverage(counts: Counts) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(counts), "coverage": round(counts.coverage, 6)}


def _newest(rows: pa.Table, limit: int | None) -> pa.Table:
    """Return the rows that were answered last, oldest first.

    All of them where there is no limit.
    """
    import pyarrow.compute as pc

    order = pc.sort_indices(rows["at"])
    return rows.take(order if limit is None else order[max(0, len(order) - limit) :])


def _print_lines(rows: pa.Table, last: dict[str, Any]) -> None:
    for row in _records(rows):
        sys.stdout.buffer.write(row + b"\n")
    sys.stdout.buffer.write(_json(last) + b"\n")
    sys.stdout.flush()


def _records(rows: pa.Table) -> Iterator[bytes]:
    """Yield each row as JSON, its inputs together under `inputs`."""
    from pipelines.inference_log.decode import INPUT

    for batch in rows.to_batches(max_chunksize=AT_ONCE):
        for row in batch.to_pylist():
            inputs = {
                name.removeprefix(INPUT): row.pop(name)
                for name in list(row)
                if name.startswith(INPUT)
            }
            yield _json({**row, "inputs": inputs})


def _json(body: dict[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.encode(body)


def _cell(value: Any) -> Any:
    from datetime import datetime

    if isinstance(value, datetime):
        return iso(value)
    return f"{value:.6g}" if isinstance(value, float) else value


def _sentence(counts: dict[str, Any]) -> str:
    """Return what was counted in words."""
    parts = [how_many(counts["predicted"], "row was answered", "rows were answered")]
    if "coverage" in counts:
        parts[0] += f": {how_many(counts['rows'], 'event')}, {counts['duplicates']:,} asked again"
        parts.append(f"{counts['labelled']:,} are labelled ({counts['coverage']:.1%})")
    return (
        "; ".join(
            parts
            + [f"{words}: {counts[name]:,}" for name, words in _UNUSUAL.items() if counts.get(name)]
        )
        + "."
    )


_UNUSUAL = {
    "after_label": "answers after their label",
    "ahead": "events more than a day after their answer",
    "torn": "lines never finished (a process was killed)",
    "damaged": "damaged places",
}
