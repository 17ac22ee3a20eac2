"""Logs for tests: segments written as the server writes them, with little to type."""

from datetime import UTC, datetime, timedelta

from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LabelRecord,
    LoggedColumn,
    header_lines,
    line,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
COLUMNS = (LoggedColumn("distance", "number"), LoggedColumn("carrier", "string"))
MODEL = "m"


def micros(minutes):
    """Return the moment so many minutes after START as the log holds it."""
    return (START + timedelta(minutes=minutes) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


def moment(minutes):
    return START + timedelta(minutes=minutes)


def predictions(*, version="1", task="binary", columns=COLUMNS, classes=()):
    return Header(
        kind="predictions",
        model=MODEL,
        version=version,
        release=int(version),
        task=task,
        columns=columns,
        classes=classes,
    )


LABELS = Header(kind="labels", model=MODEL)


def answered(request, minutes=0, *, rows=((1.5, "UA"),), answers=None, keys=None, events=None):
    return AnswerRecord(
        request_id=request,
        at=micros(minutes),
        seconds=0.001,
        rows=[list(r) for r in rows],
        predictions=list(answers) if answers else [0.25] * len(rows),
        keys=keys,
        event_times=None if events is None else [micros(m) for m in events],
    )


def labelled(identity, label, minutes=0):
    return LabelRecord(identity=identity, label=label, at=micros(minutes), request_id="f")


def write(store, name, header, *records, close=True, tail=b"", day="2026-03-01"):
    """Write a segment and return its full name."""
    segment = store.open_segment(f"inference/{header.model}/{header.kind}/{day}-{name}")
    segment.append(header_lines(header))
    for record in records:
        segment.append(line(record))
    if tail:
        segment.append(tail)
    if close:
        segment.close()
    return segment.name


def damage(store, name, at):
    """Change one byte of a closed segment."""
    data = bytearray(store.read_segment(name))
    data[at] ^= 1
    store.remove("segments", name)
    segment = store.open_segment(name)
    segment.append(bytes(data))
    segment.close()


def place(store, name, number):
    """Return the byte at which a record (from 1) begins; number 0 is the header's copy."""
    return sum(len(text) + 1 for text in store.read_segment(name).split(b"\n")[: number + 1])


def ids(log):
    """Return the request id of every row of a log that was read."""
    return log.rows["request_id"].to_pylist()
