"""What a server answers over HTTP, one row after another, on one connection that is kept open."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.judging.trial_server import NotMeasured
from pipelines.spec.numbers import Finite

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from pipelines.judging.trial_server import TrialServer

_MOST_BYTES = 2**24
_LAST_SECONDS = 5.0
"""How long a server that hung up may take to end."""
_WORDS = 200
"""Characters of a refusal that are kept."""
_REFUSALS = range(400, 500)
_HEADERS = {"Content-Type": "application/json"}


class _Open(BaseModel):
    """What else an answer holds is for others."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Labelled(_Open):
    label: str
    probabilities: dict[str, Finite]


class _Scored(_Open):
    score: Finite
    anomaly: bool


class _Predictions(_Open):
    release: int
    predictions: list[
        Annotated[
            Finite | _Labelled | _Scored | dict[str, Finite], Field(union_mode="left_to_right")
        ]
    ]


class _Fault(_Open):
    code: str
    message: str
    field: str = ""


class _Problem(_Open):
    error: _Fault


@dataclass(frozen=True)
class Answer:
    """What came back for one body, from the release that is asked, after so many seconds."""

    release: int
    status: int
    body: bytes
    seconds: float

    @property
    def is_success(self) -> bool:
        """Whether there should be predictions in it."""
        return self.status == HTTPStatus.OK

    @property
    def problem(self) -> str:
        """Return why there are no predictions, in words. Raises NotMeasured where it says none."""
        try:
            fault = _Problem.model_validate_json(self.body).error
        except ValidationError as error:
            raise NotMeasured(
                f"The server answers {self.status}, and does not say why in words."
            ) from error
        words = f"{fault.field}: {fault.message}" if fault.field else fault.message
        return " ".join(words.split())[:_WORDS]

    def count(self, rows: int) -> int:
        """Return how many rows it answers: all that were asked, or 0 where it says that they are no
        rows of this model.

        Raises NotMeasured for whatever else it is.
        """
        if not self.is_success and self.status in _REFUSALS:
            return 0
        return len(self.predictions(rows))

    def predictions(self, rows: int) -> list[float | str]:
        """Return the prediction of each row: a number, a label, or 0 for values of many levels.

        Raises NotMeasured where it is no answer of the release to so many rows.
        """
        if not self.is_success:
            raise NotMeasured(f"The server answers {self.status}: {self.problem}")
        try:
            found = _Predictions.model_validate_json(self.body)
        except ValidationError as error:
            raise NotMeasured("The server answers what makes no sense.") from error
        if found.release != self.release or len(found.predictions) != rows:
            raise NotMeasured("The server answers something else than it was asked.")
        return [_value_of(each) for each in found.predictions]


def _value_of(prediction: float | _Labelled | _Scored | dict[str, float]) -> float | str:
    if isinstance(prediction, _Labelled):
        return prediction.label
    if isinstance(prediction, _Scored):
        return prediction.score
    return 0.0 if isinstance(prediction, dict) else prediction


def encode_body(**body: Any) -> bytes | None:
    """Return the JSON of `row=` or `rows=`; None where it holds what JSON cannot, as infinity."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        return None


class Caller:
    """Whoever asks a trial server for predictions of one model, row after row."""

    def __init__(self, server: TrialServer, model: str, release: int, seconds: float) -> None:
        """Ask the server for a release of the model; no answer may pause for so many seconds."""
        self._server, self._release = server, release
        self._path = f"/models/{model}/predict"
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def ask(self, body: bytes) -> Answer:
        """Return the answer to a body, timed from the first byte sent to the last one received.

        Raises NotMeasured where none comes.
        """
        began = time.perf_counter()
        try:
            self._connection.request("POST", self._path, body, _HEADERS)
            answer = self._connection.getresponse()
            data = answer.read(_MOST_BYTES)
            seconds = time.perf_counter() - began
            if len(data) == _MOST_BYTES:
                raise NotMeasured("The server's answer does not end.")
            if answer.length:  # it ended before it was whole
                raise http.client.IncompleteRead(data, answer.length)
        except (OSError, http.client.HTTPException) as error:
            # The connection of a process that dies closes before the process has ended.
            hung_up = isinstance(error, (ConnectionError, http.client.IncompleteRead))
            self._server.expect_alive(within=_LAST_SECONDS if hung_up else 0)
            raise NotMeasured(f"The server answers no more: {error!r:.200}") from error
        return Answer(self._release, answer.status, data, seconds)

    def ask_all(self, bodies: Iterable[bytes], *, least: int, seconds: float) -> list[Answer]:
        """Return the answers to the bodies, in order.

        Where they take longer than so many seconds, at least so many of them are asked.
        """
        answers: list[Answer] = []
        end = time.monotonic() + seconds
        for body in bodies:
            if len(answers) >= least and time.monotonic() > end:
                break
            answers.append(self.ask(body))
        return answers
