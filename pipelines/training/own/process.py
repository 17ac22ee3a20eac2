"""The process of a model's own code, as training asks it."""

from __future__ import annotations

import contextlib
import math
import os
from typing import TYPE_CHECKING, Any

from pipelines import errors
from pipelines.errors import PerennialError, SpecError, TryAgain
from pipelines.fence.frames import Torn
from pipelines.fence.guard import bare_environment
from pipelines.fence.own_code import OwnCode, read_code
from pipelines.fence.process import Child
from pipelines.fence.program import Limits
from pipelines.sources.memory_limit import most_memory
from pipelines.training.own.candidates import dump_candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from pipelines.context import Context
    from pipelines.fence.process import Answer
    from pipelines.spec import Candidate


class CodeProcess:
    """Asks the process of one code, which is started at the first question.

    One that was ended is not started again: the models that it held are gone.
    """

    def __init__(
        self, code: OwnCode, *, seconds: float, memory: int, paths: Sequence[str] = ()
    ) -> None:
        """Remember the code and its limits.

        `seconds` of one fit or answer, bytes of `memory`, `paths` of required packages.
        """
        self.code, self.seconds = code, seconds
        self.limits = Limits(memory=memory, paths=tuple(paths))
        self._child: Child | None = None
        self._numbers = 0
        self._unused: list[int] = []

    def number(self) -> int:
        """Return the number of a new model."""
        self._numbers += 1
        return self._numbers

    def forget(self, number: int) -> None:
        """Let the process drop a model with the next question."""
        self._unused.append(number)

    def ask(self, candidate: str, request: Mapping[str, Any], tables: Mapping[str, Any]) -> Answer:
        """Return the answer to a question about a candidate.

        Raises SpecError for what the code does, named by file and line; TryAgain where its process
        was killed from outside.
        """
        if self._child is None or not self._child.fit:
            self.close()
            self._child = Child(
                "pipelines.training.fenced_program",
                (str(os.getpid()), self.limits.model_dump_json()),
                folder="/",
                environment=bare_environment(),
                network=False,
            )
        unused, self._unused = self._unused, []
        subject = f"candidates.{candidate} ({self.code.subject})"
        return self._exchange(subject, candidate, {**request, "forget": unused}, tables)

    def check(self, candidate: Candidate) -> None:
        """Look whether a required package's candidate can be imported and has its parameters.

        Raises SpecError where not.
        """
        request = {"what": "check", "code": self.code.model_dump(mode="json")}
        self.ask(candidate.name, {**request, "candidate": dump_candidate(candidate)}, {})

    def _exchange(
        self,
        subject: str,
        candidate: str,
        request: Mapping[str, Any],
        tables: Mapping[str, pa.Table],
    ) -> Answer:
        child, place = self._child, ("candidates", candidate)
        assert child is not None  # noqa: S101 -- `ask` has started it
        doing = {
            "make": "making the estimator",
            "check": "importing the estimator",
            "fit": "fitting",
            "ask": "answering",
            "correct": "being corrected",
            "load": "loading",
        }
        what = doing.get(str(request["what"]), "storing")
        try:
            header, values = child.ask(request, tables, self.seconds)
        except TimeoutError as error:
            raise SpecError(
                f"{subject}: {what} took longer than {self.seconds:g} s and was"
                f" ended.{child.last_words()}",
                remedy="mend it, or give it more time: `train.timeout` in model.yaml.",
                at=place,
            ) from error
        except Torn as error:
            how = f"{subject}: its process {child.end_in_words()} while it was {what}"
            if child.was_killed:
                raise TryAgain(
                    f"{how}: out of memory, or ended by hand.{child.last_words()}",
                    remedy="give it more memory, or try again.",
                ) from error
            raise SpecError(
                f"{how}.{child.last_words()}",
                remedy="the code must neither end its process nor close what it did not open.",
                at=place,
            ) from error
        if header.get("error"):
            error_class = getattr(errors, str(header["error"]), SpecError)
            if not issubclass(error_class, PerennialError):
                error_class = SpecError
            message, at = f"{subject}: {header['message']}", place
            if "candidate" in request and header["at"]:
                # by the code of all candidates, which names its subject and place itself
                message, at = str(header["message"]), tuple(header["at"])
            raise error_class(message, remedy=str(header["remedy"]), at=at)
        return header, values

    def close(self) -> None:
        """End the process."""
        if (
            self._child is not None
            and not self._child.has_ended
            and self._child.owner == os.getpid()
        ):
            self._child.end()
        self._child = None


@contextlib.contextmanager
def own_code_of(
    context: Context,
    code: OwnCode | None = None,
    paths: Sequence[str] | None = None,
    *,
    seconds: float = math.inf,
) -> Iterator[CodeProcess | None]:
    """Yield the process for the model's own code or packages, and end it; None where no candidate
    has any.

    `code` and `paths`: those of an earlier version, in the place of the folder's and the spec's.
    One fit or answer may take as long as the spec says, and `seconds` at most. Raises SpecError
    where `model.py` is not there.
    """
    spec, settings = context.spec, context.settings
    if code is None and not any(c.fenced for c in spec.candidates):
        yield None
        return
    process = CodeProcess(
        code or _code_of(context),
        seconds=min(seconds, spec.train.seconds(settings.user_code_timeout_seconds)),
        memory=most_memory(spec.resources, settings.memory),
        paths=context.paths if paths is None else paths,
    )
    try:
        yield process
    finally:
        process.close()


def _code_of(context: Context) -> OwnCode:
    """Return the model's own code: no file where its candidates are of required packages alone."""
    if any(c.pipeline for c in context.spec.candidates):
        return read_code(context.folder)
    return OwnCode(model=context.spec.name, files={})
