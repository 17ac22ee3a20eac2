"""Answered predictions, by the inference log: which version gave one, and why that one served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.answers.lineage import Prediction
from pipelines.answers.origins import Origin, why
from pipelines.errors import RequestError
from pipelines.inference_log.decode import INPUT
from pipelines.inference_log.reader import read_labels, read_log
from pipelines.inference_log.request_labels import identities_of, under_rows
from pipelines.intervals import Moment
from pipelines.plurals import how_many
from pipelines.refs import Value

if TYPE_CHECKING:
    from pipelines.answers.lineage import Resting
    from pipelines.ledger import Ledger
    from pipelines.store.port import Store


class AnsweredRow(Value):
    """A row of a request as the log holds it: personal inputs are hashed or left out.

    `label` is what feedback brought later, None where nothing came.
    """

    row: int
    at: Moment
    version: str
    release: int
    prediction: float | str | None
    probabilities: list[float] | None
    label: float | str | None
    inputs: dict[str, Any]


class AnsweredRequest(Value):
    """A request that was answered, and why each version that answered it is as it is.

    `unknown` names versions of which the ledger knows nothing; `damage` what of the log could not
    be read.
    """

    model: str
    request_id: str
    rows: list[AnsweredRow]
    why: list[Origin]
    unknown: list[str]
    damage: list[str]


def why_prediction(ledger: Ledger, store: Store, model: str, request_id: str) -> AnsweredRequest:
    """Return the rows of an answered request, and why their version is so.

    Raises RequestError where the log holds no such request.
    """
    # what a shell passes on need not be text
    asked = pa.scalar(request_id.encode(errors="replace").decode(), pa.string())
    log = read_log(store, model, keep=lambda t: t.filter(pc.equal(t["request_id"], asked)))
    rows = log.rows
    if not rows.num_rows:
        lost = f"; {how_many(len(log.damage), 'part')} of it could not be read" * bool(log.damage)
        raise RequestError(
            f"The log of {model} holds no request {request_id[:60]!r}{lost}.",
            remedy=f"`perennial log {model} --json` shows the requests that it holds.",
        )
    identities = identities_of(rows)
    own = under_rows(
        read_labels(store, model, keep=lambda t: t.filter(pc.is_in(t["identity"], identities))),
        rows,
    ).table
    label_of = dict(zip(own["identity"].to_pylist(), own["label"].to_pylist(), strict=True))
    answers = [_answer_of(row, label_of.get(row["identity"])) for row in rows.to_pylist()]
    origins: list[Origin] = []
    unknown: list[str] = []
    for version in dict.fromkeys(answer.version for answer in answers):
        try:
            origins.append(why(ledger, store, model, version))
        except RequestError:
            unknown.append(version)
    return AnsweredRequest(
        model=model,
        request_id=request_id,
        rows=answers,
        why=origins,
        unknown=unknown,
        damage=log.damage,
    )


def _answer_of(row: dict[str, Any], label: float | str | None) -> AnsweredRow:
    return AnsweredRow(
        **{name: row[name] for name in ("row", "at", "version", "release", "prediction")},
        probabilities=row["probabilities"],
        label=label,
        inputs={n.removeprefix(INPUT): v for n, v in row.items() if n.startswith(INPUT)},
    )


def with_predictions(store: Store, resting: Resting, *, named: bool = False) -> Resting:
    """Return what rests on a batch with its predictions counted by version; `named` names each."""
    log = read_log(store, resting.model, keep=_without_inputs)
    versions = pa.array(resting.versions, pa.string())
    rows = log.rows.select(list(Prediction.model_fields))
    rows = rows.filter(pc.is_in(rows["version"], versions))
    counts = {c["values"]: c["counts"] for c in pc.value_counts(rows["version"]).to_pylist()}
    update = {
        "predictions": {version: counts.get(version, 0) for version in resting.versions},
        "rows": [Prediction(**row) for row in rows.to_pylist()] if named else None,
        "damage": log.damage,
    }
    return resting.model_copy(update=update)


def _without_inputs(rows: pa.Table) -> pa.Table:
    return rows.drop_columns([name for name in rows.column_names if name.startswith(INPUT)])
