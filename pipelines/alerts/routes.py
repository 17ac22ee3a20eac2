"""Whom to tell of what: the file that PERENNIAL_ALERTS names, with an address for each route.

An address is a secret: it often holds a password or a token. No message, no log, no entry and no
result ever shows one; routes are known by their names.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING, Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationError

from pipelines.airflow_pages import airflow_address
from pipelines.errors import RequestError
from pipelines.plain_errors import Problem, problems, sentence
from pipelines.private_files import OTHERS
from pipelines.refs import Name, Value
from pipelines.spec.reading import MAX_BYTES, NotYaml, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

About = Literal["failed", "refused", "data", "alarm", "late"]
"""What a message is about.

A retraining or a release that failed; a challenger that was refused; data that broke their
expectations; a window that raised an alarm; a drift check that did not run.
"""
ABOUT: tuple[About, ...] = get_args(About)

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s,]+")
_ANY_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_BEGINS_WITH_A_HOST = frozenset(
    {"json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos"}
)
"""Schemes whose addresses begin with a server's name; elsewhere a token may stand there."""

_DOCS = "see docs/alerts.md"


def _address(secret: SecretStr) -> SecretStr:
    if not _ADDRESS.fullmatch(secret.get_secret_value()):
        msg = (
            "is no address of one service; write one that Apprise knows, which begins with such as"
            " mailtos:// or slack:// and has no blanks and commas"
        )
        raise ValueError(msg)
    return secret


class Route(Value):
    """One destination, and what it is told of.

    It is told of the models that are named in `models`, and of those whose owner stands in
    `owners`; of every model where both are empty.
    """

    to: Annotated[SecretStr, AfterValidator(_address)]
    models: tuple[Name, ...] = ()
    owners: tuple[str, ...] = ()
    tell: Annotated[tuple[About, ...], Field(min_length=1)] = ABOUT

    def tells_of(self, model: str, owner: str) -> bool:
        """Tell whether this model is one of the route's."""
        everything = not self.models and not self.owners
        return everything or model in self.models or owner in self.owners

    @property
    def shown(self) -> str:
        """The address as it may be seen: its kind, and its server where that is no secret."""
        return show_address(self.to.get_secret_value())


class Routes(Value):
    """All routes by name, and where people's browsers find Airflow, for the links."""

    airflow: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = None
    routes: Annotated[dict[Name, Route], Field(min_length=1)]

    def page(self, path: str, settings: Settings) -> str:
        """Return the link to a page of Airflow's; `path` begins with a slash."""
        return (self.airflow or airflow_address(settings)).rstrip("/") + path


def show_address(address: str) -> str:
    """Return an address without anything that may be a secret."""
    scheme = address.partition("://")[0]
    try:
        host = urlsplit(address).netloc.rsplit("@", 1)[-1]
    except ValueError:
        host = ""
    return f"{scheme}://{host}/…" if host and scheme in _BEGINS_WITH_A_HOST else f"{scheme}://…"


def read_routes(path: Path) -> Routes:
    """Return the routes that stand in a file.

    Raises RequestError, naming file, field and remedy, where it cannot be read, where others may
    read it, and where it says what is not known.
    """
    try:
        # Without waiting: a named pipe in its place would hold up whoever tells of trouble
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            _expect_private_file(path, state)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RequestError(
            f"The routes of alerts in {path} cannot be read: {error.strerror}.",
            remedy=f"name a file that is there in PERENNIAL_ALERTS, or none; {_DOCS}.",
        ) from error
    try:
        document = read_yaml(data)
    except NotYaml as error:
        place = f"{path}:{error.line}" if error.line else str(path)
        # Neither the text nor the error from which it comes may show an address
        raise RequestError(_hide(f"{place}: {error}."), remedy=f"{_DOCS}.") from None
    try:
        return Routes.model_validate(document.body)
    except ValidationError as error:
        faults = problems(error, document.body, Routes, secret=["routes", "airflow"])
        lines = [_fault(path, document.line(problem.path), problem) for problem in faults]
    raise RequestError("\n".join(lines), remedy=f"{_DOCS}.")


def _expect_private_file(path: Path, state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise RequestError(
            f"The routes of alerts in {path} are no file.",
            remedy=f"name a file in PERENNIAL_ALERTS; {_DOCS}.",
        )
    if state.st_mode & OTHERS:
        raise RequestError(
            f"The routes of alerts in {path} may be read by others than their owner.",
            remedy=(
                f"chmod 600 {path}; and make new tokens and passwords, if somebody may have read"
                " them."
            ),
        )


def _fault(path: Path, line: int, problem: Problem) -> str:
    return _hide(f"{path}:{line}: {sentence(str(problem))}")


def _hide(text: str) -> str:
    """Return a text in which every address is left out, also one that stands where a name does."""
    return _ANY_ADDRESS.sub("…", text)
