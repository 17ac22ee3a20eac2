"""The bundle of DAG files that Airflow reads: one file for each group of models.

Airflow parses a file that has changed at once, and others rarely. So each group's file is given a
new time when a folder of that group has changed: nothing is parsed for nothing, and one folder's
change costs its own group alone.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow import settings as airflow_settings
from airflow.dag_processing.bundles.base import BaseDagBundle

from perennial_airflow.before_fork import load_for_parses
from perennial_airflow.groups import (
    BROKEN,
    BROKEN_TEXT,
    TEXT,
    file_name,
    group_of,
    replace_file,
    touch,
)
from pipelines.settings import load_settings
from pipelines.spec.folders import fingerprint
from pipelines.spec.load import model_names

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN_SECONDS = 15.0
"""After a change a file is parsed a second time: the first parse may have begun before it, or have
taken too long on a machine that was just starting. So is what shows the broken ones."""
OWN = {"models.py", BROKEN}
"""Files of dags/ for whoever gives Airflow that folder: here the groups take their place."""


class ModelFolders(BaseDagBundle):
    """The DAG files of all models, and those that lie in Airflow's DAGs folder beside them."""

    supports_versioning = False

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, **kwargs: Any) -> None:
        """Remember the clock (seconds); nothing is written yet."""
        super().__init__(**kwargs)
        self._clock = clock
        self._seen: dict[int, dict[str, str]] = {}
        self._again: dict[str, float] = {}

    @property
    def path(self) -> Path:
        """The folder with the files; this host's own."""
        return self.base_dir / "files"

    def get_current_version(self) -> None:
        """Return None: there is but the present."""
        return

    def initialize(self) -> None:
        """Write the files that are missing. Airflow asks for it before each task too."""
        self._write({group_of(name) for name in model_names(load_settings().models)})
        super().initialize()

    def refresh(self) -> None:
        """Look at every folder, and let the groups be parsed in which one has changed."""
        load_for_parses()
        models = load_settings().models
        seen: dict[int, dict[str, str]] = {}
        for name in model_names(models):
            seen.setdefault(group_of(name), {})[name] = fingerprint(models / name)
        self._write(set(seen))
        gone = set(self._seen) - set(seen)
        for group in gone:
            self._remove(group)
        changed = {file_name(g) for g, folders in seen.items() if folders != self._seen.get(g)}
        if self._seen:
            for name in changed | ({BROKEN} if gone else set()):
                touch(self.path / name)
        self._parse_again(changed | ({BROKEN} if changed or gone else set()))
        self._seen = seen

    def _parse_again(self, changed: set[str]) -> None:
        """Let the files that changed a while ago be parsed once more, and remember these."""
        now = self._clock()
        for name in [name for name, due in self._again.items() if now >= due]:
            touch(self.path / name)
            del self._again[name]
        self._again |= dict.fromkeys(changed, now + AGAIN_SECONDS)

    def _write(self, groups: set[int]) -> None:
        """Write the files of these groups, where they are not there."""
        texts = {file_name(group): TEXT for group in groups} | {BROKEN: BROKEN_TEXT}
        for name, text in texts.items():
            file = self.path / name
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                replace_file(file, text)
        for link in self.path.glob("*.py"):
            if not link.exists():
                link.unlink(missing_ok=True)
        for source in Path(airflow_settings.DAGS_FOLDER).glob("*.py"):
            link = self.path / source.name
            if source.name not in OWN and not link.exists():
                link.symlink_to(source)

    def _remove(self, group: int) -> None:
        """Remove the file of a group that has no model any more, and what was noted of it."""
        (self.path / file_name(group)).unlink(missing_ok=True)
        (self.path / "notes" / f"models_{group:02d}.json").unlink(missing_ok=True)
