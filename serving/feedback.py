"""The feedback route: labels for rows that were predicted, by request or by key, one or many at a
time.
"""

from __future__ import annotations

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pipelines.classes import class_of, place_of_binary
from pipelines.errors import PerennialError
from pipelines.inference_log.label_index import Index, NewLabel
from pipelines.tasks import learns_named_classes, traits_of
from serving.body_problems import label_problem
from serving.decode import Key, make_json_problem, refuse_repeated_keys
from serving.event_log import log
from serving.log.form import key_in_log
from serving.middleware import json_start
from serving.predict import refuse_other_media, served_model
from serving.problems import Problem, encode

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from pipelines.bundle.schema import InputSchema
    from pipelines.settings import Settings
    from pipelines.store.port import Store
    from serving.follower import Follower
    from serving.log.writer import InferenceLog
    from serving.prometheus import Metrics

ROUTE = "/models/{name}/feedback"
ROW_LIMIT = 1_000_000
REQUEST_ID_LIMIT = 64
NAMED_CLASSES, NAME_LENGTH = 20, 100
"""Classes that a refusal names, and characters of each."""


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    label: bool | int | float | str
    request_id: Annotated[str, Meta(min_length=1, max_length=REQUEST_ID_LIMIT)] | UnsetType = UNSET
    row: Annotated[int, Meta(ge=0, le=ROW_LIMIT)] | UnsetType = UNSET
    key: Key | UnsetType = UNSET


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """Either `labels`, or one item's own fields.

    Items are decoded one by one, because the good ones among them count.
    """

    labels: list[msgspec.Raw] | UnsetType = UNSET
    label: Any = UNSET
    request_id: Any = UNSET
    row: Any = UNSET
    key: Any = UNSET


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_item = msgspec.json.Decoder(_Item).decode

_REFUSALS: Final = {
    "unknown": (
        404,
        "unknown_prediction",
        "No prediction of this model is known by this request and row, or by this key.",
    ),
    "contradicting": (
        409,
        "contradicting_label",
        "This prediction has another label already; the first one counts.",
    ),
    "ambiguous": (
        409,
        "ambiguous_request",
        "Several predictions with different keys have this request and row: send the key instead.",
    ),
}


class FeedbackRoute:
    """POST /models/{name}/feedback."""

    def __init__(
        self,
        follower: Follower,
        metrics: Metrics,
        log: InferenceLog,
        settings: Settings,
        store: Store,
    ) -> None:
        """Take labels for what `follower` serves."""
        self._follower = follower
        self._metrics = metrics
        self._log = log
        self._index = Index(settings, store)
        self._max = settings.max_rows
        # One thread of its own: the index lets one in at a time anyway, and predictions must never
        # wait for it.

        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")

    def stop(self) -> None:
        """Finish what was begun."""
        self._thread.shutdown()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 200 where every label was accepted (or written down unchecked, see
        `pipelines.inference_log.label_index`) or there already.

        Raises Problem.
        """
        scope["perennial.route"] = ROUTE
        name = scope["path_params"]["name"]
        schema = served_model(self._follower, name).bundle.manifest.inputs
        scope["perennial.model"] = name
        if traits_of(schema.task).target == "none":
            raise Problem(
                422,
                "no_labels",
                f"{name} puts rows into clusters: nothing happens that could tell it was wrong, so"
                " it takes no labels.",
            )
        refuse_other_media(scope)
        body = (await receive())["body"]
        run = asyncio.get_running_loop().run_in_executor
        try:
            items = _items(body, self._max, schema)
            await run(
                self._thread, refuse_repeated_keys, body
            )  # slow on a large body: not on the event loop
        except Problem:
            self._metrics.count_label(name, "malformed")
            raise
        answer = await run(
            self._thread, self._accept, name, schema, items, scope["perennial.request_id"]
        )
        body = encode({"request_id": scope["perennial.request_id"], **answer})
        await send(json_start(200, body))
        await send({"type": "http.response.body", "body": body})

    def _accept(
        self, model: str, schema: InputSchema, items: list[bytes | msgspec.Raw], request_id: str
    ) -> dict[str, Any]:
        """Return the answer once every good label is on the disk.

        Raises Problem where a label was not taken.
        """
        problems: dict[int, Problem] = {}
        labels: dict[int, NewLabel] = {}
        try:
            for index, item in enumerate(items):
                try:
                    labels[index] = self._read_item(item, schema)
                except Problem as problem:
                    problems[index] = problem
            outcomes = self._index.accept(
                model,
                list(labels.values()),
                lambda new: self._log.write_labels(model, new, request_id),
            )
        except (OSError, PerennialError) as error:
            self._count(model, ["unavailable"] * len(items))
            log.exception(
                "Labels could not be taken.",
                extra={"model": model, "request_id": request_id, "reason": type(error).__name__},
            )
            raise Problem(
                503,
                "log_unavailable",
                "Labels cannot be written now; try again.",
                headers={"retry-after": "5"},
            ) from error
        problems |= {
            i: Problem(*_REFUSALS[outcome])
            for i, outcome in zip(labels, outcomes, strict=True)
            if outcome in _REFUSALS
        }
        self._count(model, [*outcomes, *(["malformed"] * (len(items) - len(labels)))])
        counts = {
            "model": model,
            **{name: outcomes.count(name) for name in ("accepted", "unchecked", "repeated")},
        }
        return _answer(counts, problems, len(items))

    def _read_item(self, item: bytes | msgspec.Raw, schema: InputSchema) -> NewLabel:
        """Return what one item tells. Raises Problem 422 naming the field."""
        try:
            fields = _decode_item(item)
        except msgspec.ValidationError as error:
            raise label_problem(str(error), schema) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise make_json_problem(error) from None
        label = _label(fields.label, schema)
        if (fields.key is UNSET) == (fields.request_id is UNSET):
            raise Problem(
                422,
                "invalid_input",
                'Send exactly one of "request_id" and "key": they say which prediction the label'
                " belongs to.",
                field="request_id",
            )
        if fields.key is UNSET:
            return NewLabel(
                label,
                request_id=str(fields.request_id),
                row=0 if fields.row is UNSET else fields.row,
            )
        if fields.row is not UNSET:
            raise Problem(
                422, "invalid_input", 'The field row belongs beside "request_id".', field="row"
            )
        key = key_in_log(schema, self._log.personal, fields.key)
        if key is None:
            raise Problem(
                422,
                "invalid_input",
                "Keys of this model are personal and are not kept: send request_id.",
                field="key",
            )
        return NewLabel(label, key=key)

    def _count(self, model: str, outcomes: list[str]) -> None:
        for outcome in outcomes:
            self._metrics.count_label(model, outcome)


def _items(body: bytes, limit: int, schema: InputSchema) -> list[bytes | msgspec.Raw]:
    """Return the labels of a body, undecoded.

    Raises Problem for what is no JSON, or no form of this route.
    """
    try:
        fields = _decode_body(body)
    except msgspec.ValidationError as error:
        raise label_problem(str(error), schema) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise make_json_problem(error, body) from None
    if fields.labels is UNSET:
        return [body]
    if any(part is not UNSET for part in (fields.label, fields.request_id, fields.row, fields.key)):
        raise Problem(422, "invalid_input", 'Send either "labels" or one label.', field="labels")
    if not fields.labels:
        raise Problem(422, "invalid_input", "Send at least one label.", field="labels")
    if len(fields.labels) > limit:
        raise Problem(
            413,
            "too_many_rows",
            f"{len(fields.labels)} labels are more than the {limit} that one request may have.",
        )
    return list(fields.labels)


# True is a label.
def _label(label: bool | float | str, schema: InputSchema) -> float | str:  # noqa: FBT001
    """Return a label as it is logged. Raises Problem 422 where it is none of the task's.

    A label that is none of the classes of the version that serves would stand for ever: the first
    label of a row counts. So it is refused; where the class is new in the world, it can be told
    again once a version that knows it serves.
    """
    if learns_named_classes(schema.task):
        classes = schema.classes or []
        name = class_of(label, classes)
        if name is None:
            raise Problem(
                422,
                "invalid_input",
                f"label is no label of this task: its classes are {_class_list(classes)}.",
                field="label",
            )
        return name
    if schema.task == "binary" and schema.binary_classes:
        place = place_of_binary(label, schema.binary_classes)
        if place is None:
            raise Problem(
                422,
                "invalid_input",
                "label is no label of this task: its classes are"
                f" {_class_list(list(schema.binary_classes))}.",
                field="label",
            )
        return float(place)
    if schema.task in {"binary", "anomaly"}:
        if not isinstance(label, str) and label in {0, 1}:
            return float(label)
        raise Problem(
            422,
            "invalid_input",
            "label is no label of this task: send true or false, 1 or 0.",
            field="label",
        )
    number = _finite(label)
    if number is None:
        raise Problem(
            422,
            "invalid_input",
            "label is no label of this task: send a finite number.",
            field="label",
        )
    return number


def _finite(
    label: bool | float | str,  # noqa: FBT001 -- true is a label
) -> float | None:
    """Return a number as it is logged; None for what is none, or too large for one."""
    if isinstance(label, bool | str):
        return None
    try:
        number = float(label)
    except OverflowError:  # JSON's whole numbers have no end
        return None
    return number if math.isfinite(number) else None


def _class_list(classes: list[str]) -> str:
    """Return the classes as JSON texts, shortened so that a message stays readable."""
    names = [
        json.dumps(c if len(c) <= NAME_LENGTH else f"{c[:NAME_LENGTH]}…", ensure_ascii=False)
        for c in classes[:NAMED_CLASSES]
    ]
    return ", ".join(names) + (
        f" and {len(classes) - NAMED_CLASSES} more" if len(classes) > NAMED_CLASSES else ""
    )


def _answer(counts: dict[str, Any], problems: dict[int, Problem], count: int) -> dict[str, Any]:
    """Return the answer where all is well.

    Raises the gravest problem else; it tells of all of them and of what was accepted.
    """
    texts = [
        {"index": i, "status": p.status, "code": p.code, "message": p.message}
        for i, p in sorted(problems.items())
    ]
    answer = {**counts, "problems": texts}
    if not problems:
        return answer
    index, worst = max(sorted(problems.items()), key=lambda pair: pair[1].status)
    words = (
        worst.message
        if count == 1
        else f"{len(problems)} of {count} labels were not taken; number {index}: {worst.message}"
    )
    raise Problem(worst.status, worst.code, words, field=worst.field, extra=answer)
