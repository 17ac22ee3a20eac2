"""What MLflow says of a model's runs and versions in words: tags and descriptions.

Reasons of a verdict, and what would have passed, may name a person where a slice is one.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from pipelines.errors import PerennialError
from pipelines.ops.erasure.compacting import compact
from pipelines.ops.traces.content import database_holds
from pipelines.ops.traces.outside import file_of
from pipelines.registry.failures import mlflow_border
from pipelines.settings import is_web, quiet, without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipelines.ops.traces.sought import Sought
    from pipelines.settings import Settings

ERASED = "[erased: it named a person whose rows were erased]"
_PAGE = 500
_OWN = ("perennial.run", "perennial.key", "mlflow.")
"""How tags begin by which runs are found again, or which MLflow makes."""
NOTE = "mlflow.note.content"


def erase_texts(settings: Settings, model: str, sought: Sequence[Sought]) -> int:
    """Put a word in the place of each tag and description that names the people.

    Return how many. Parameters cannot be changed: the search names them. Nothing is done where
    MLflow does not answer, nor where its file holds nothing of them.
    """
    uri = settings.mlflow_uri
    file = None if is_web(uri) else file_of(make_url(uri))
    if file is not None and not (file.is_file() and database_holds(file, sought)):
        return 0
    quiet()
    changed = 0
    with suppress(PerennialError), mlflow_border(f"MLflow at {without_password(uri)}"):
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        changes = list(_changes(client, model, lambda text: any(s.in_text(text) for s in sought)))
        for change in changes:
            change()
            changed += 1
    if changed and file is not None:
        with suppress(sqlite3.Error):
            compact(file, sought)
    return changed


def _changes(
    client: Any, model: str, names_them: Callable[[str], bool]
) -> Iterator[Callable[[], object]]:
    """Yield what to do for each text of the model's runs and versions that names the people."""
    experiment = client.get_experiment_by_name(model)
    token = None
    while experiment is not None:
        page = client.search_runs([experiment.experiment_id], max_results=_PAGE, page_token=token)
        for run in page:
            for name in _find_naming(run.data.tags, names_them):
                yield partial(client.set_tag, run.info.run_id, name, ERASED)
        token = page.token
        if not token:
            break
    token = None
    while True:
        versions = client.search_model_versions(
            f"name = '{model}'", max_results=_PAGE, page_token=token
        )
        for version in versions:
            number = version.version
            for name in _find_naming(version.tags, names_them):
                yield partial(client.set_model_version_tag, model, number, name, ERASED)
            if names_them(version.description or ""):
                yield partial(client.update_model_version, model, number, description=ERASED)
        token = versions.token
        if not token:
            return


def _find_naming(tags: dict[str, str], names_them: Callable[[str], bool]) -> list[str]:
    return [
        name
        for name, text in tags.items()
        if names_them(text) and (name == NOTE or not name.startswith(_OWN))
    ]
