"""What the Registry port promises: runs, metrics and model versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Protocol

from pipelines.errors import Conflict, RequestError
from pipelines.refs import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

RunState = Literal["FINISHED", "FAILED", "KILLED"]

TEXT_LIMIT = 6_000
"""Characters that a parameter or a tag may have; the rest is cut."""

DESCRIPTION_LIMIT = 5_000
"""Characters that the description of a version may have."""

DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow shows as the description of a run, which is Markdown."""

NOT_FINITE = "perennial.not_finite"
"""The tag that names the metrics which were NaN or infinite.

A tracking server would store infinity as 1.8e308.
"""

MASK = "***"

_MODEL = re.compile(r"[a-z][a-z0-9_]{0,47}")
_KEY = re.compile(r"[A-Za-z0-9_.:-][A-Za-z0-9_.: -]{0,249}")
_FOLDER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}")
_SECRET = re.compile(
    r"passw|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE
)


class ModelVersion(Value):
    """One registered version of a model, with the run that made it."""

    version: str
    run_id: str
    tags: dict[str, str]


class Registry(Protocol):
    """Runs, metrics and versions. Everything is idempotent by key: again finds what is there."""

    def parent(self, model: str, run: str, tags: Mapping[str, str]) -> str:
        """Return the id of the one parent run of a DAG run; it is opened at the first call."""
        ...

    def child(self, model: str, parent: str, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of a child run by its key; it is opened at the first call."""
        ...

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> None:
        """Add parameters, metrics and tags; the same again changes nothing.

        Texts are cut at 6,000 characters; those whose names sound like a secret's are stored as
        `***`. A metric that is not finite is named in the tag `perennial.not_finite` instead.
        Raises Conflict where a parameter has another value already.
        """
        ...

    def attach(self, run_id: str, file: Path, folder: str) -> None:
        """Add a file (a plot, a page) to a run's artifacts."""
        ...

    def find_artifact(self, run_id: str, path: str) -> int | None:
        """Return how many bytes a file of a run's artifacts has; None where it is not there."""
        ...

    def detach(self, run_id: str, path: str) -> None:
        """Remove a file of a run's artifacts; one that is gone stays so."""
        ...

    def close(self, run_id: str, state: RunState) -> None:
        """End a run."""
        ...

    def state(self, run_id: str) -> str:
        """Return RUNNING, FINISHED, FAILED or KILLED."""
        ...

    def register(
        self,
        model: str,
        run_id: str,
        key: str,
        model_file: Path,
        tags: Mapping[str, str],
        *,
        code: Path | None = None,
    ) -> ModelVersion:
        """Log the skops file as the run's model and register it as the next version.

        Once per key. `code`: the file of the model's own code, which is logged beside it.
        """
        ...

    def describe(self, model: str, version: str, text: str) -> None:
        """Set what is said of a version: Markdown, cut at 5,000 characters.

        Raises RequestError where there is no such version.
        """
        ...

    def versions(self, model: str) -> list[ModelVersion]:
        """Return the versions, oldest first."""
        ...

    def alias(self, model: str) -> str | None:
        """Return the version that the alias `champion` names, or None."""
        ...

    def point(self, model: str, version: str | None) -> None:
        """Set (or with None remove) the alias `champion`.

        It follows the ledger, never the other way round.
        """
        ...

    def metrics(self, run_id: str) -> dict[str, float]:
        """Return the newest value of each metric of a run."""
        ...

    def page(self, run_id: str) -> str | None:
        """Return the web address of a run, where the tracking server has a UI; else None."""
        ...


def check_model(model: str) -> None:
    """Raise RequestError unless this is a model's name."""
    if not _MODEL.fullmatch(model):
        raise RequestError(f"{model!r} is no model's name.")


def check_version(model: str, version: str, known: Iterable[ModelVersion]) -> None:
    """Raise RequestError unless this is one of the model's versions."""
    if version not in {v.version for v in known}:
        raise RequestError(f"The registry has no version {version} of {model}.")


def check_path(path: str) -> None:
    """Raise RequestError unless this names a file in a folder of a run's artifacts."""
    folder, _, name = path.partition("/")
    check_folder(folder)
    check_folder(name)


def check_folder(folder: str) -> None:
    """Raise RequestError unless this is a plain folder name among a run's artifacts."""
    if not _FOLDER.fullmatch(folder):
        raise RequestError(
            f"{folder!r} is no folder for artifacts.", remedy="use letters, digits and _ . -"
        )


def mask(texts: Mapping[str, str]) -> dict[str, str]:
    """Return parameters or tags as they may be seen.

    Cut, and masked where the name sounds like a secret's.
    """
    check_keys(texts)
    return {
        name: MASK if _SECRET.search(name) else text[:TEXT_LIMIT] for name, text in texts.items()
    }


def check_keys(names: Iterable[str]) -> None:
    """Raise RequestError naming a parameter, metric or tag that the registry could not hold."""
    wrong = [n for n in names if not _KEY.fullmatch(n)]
    if wrong:
        raise RequestError(
            f"{wrong[0]!r} cannot be the name of a parameter, metric or tag.",
            remedy="use letters, digits and _ . : -",
        )


def new_params(existing: Mapping[str, str], params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that are not there yet.

    Raises Conflict naming one that has another value.
    """
    for name, value in params.items():
        if existing.get(name, value) != value:
            raise Conflict(
                f"The parameter {name} of the run is {existing[name]!r} already, not {value!r}."
            )
    return {name: value for name, value in params.items() if name not in existing}
