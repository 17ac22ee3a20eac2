"""Predictions in the log, and labels told of them."""

from __future__ import annotations

from pipelines.inference_log.format import (
    AnswerRecord,
    Header,
    LabelRecord,
    LoggedColumn,
    header_lines,
    line,
)

MODEL = "flights"
PREDICTIONS = Header(
    kind="predictions",
    model=MODEL,
    version="1",
    release=1,
    task="binary",
    columns=(LoggedColumn("x", "number"),),
)
LABELS = Header(kind="labels", model=MODEL)


def predict(local_store, name, *requests, model=MODEL, tail=b"", closed=True):
    """Write one segment of requests, each (request id, keys) with one row per key."""
    segment = local_store.open_segment(f"inference/{model}/predictions/2026-11-21-{name}")
    segment.append(header_lines(PREDICTIONS))
    for request_id, keys in requests:
        segment.append(
            line(
                AnswerRecord(
                    request_id, 1_000, 0.001, [[1.0]] * len(keys), [0.5] * len(keys), list(keys)
                )
            )
        )
    if tail:
        segment.append(tail)
    if closed:
        segment.close()
    return segment


class Labels:
    """What the server does with accepted labels; keeps them too."""

    def __init__(self, local_store, name="0-labels"):
        self.segment = local_store.open_segment(f"inference/{MODEL}/labels/2026-11-21-{name}")
        self.segment.append(header_lines(LABELS))
        self.written = []

    def __call__(self, new):
        self.segment.append(b"".join(line(LabelRecord(i, label, 2_000, "f")) for i, label in new))
        self.written += new
