"""The app over records in memory, for a user who visits it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.settings import load_settings
from pipelines.store.memory import MemoryStore

RUN = "scheduled__2024-01-04T00:00:00+00:00"
NOW = datetime(2024, 1, 5, tzinfo=UTC)


class World:
    """The app over records in memory, for a user who may read some models."""

    def __init__(self, home) -> None:
        from perennial_airflow.pages.app import make_app
        from perennial_airflow.pages.records import Records, records

        self.home = home
        self.store, self.ledger = MemoryStore(), MemoryLedger(now=lambda: NOW)
        ports = Ports(store=self.store, ledger=self.ledger, versions=None, registry=None)
        self.records = Records(
            load_settings({"PERENNIAL_HOME": str(home)}),
            ports,
            now=lambda: NOW + timedelta(hours=1),
        )
        self.app = make_app()
        self.app.dependency_overrides[records] = lambda: self.records

    def with_mlflow(self, uri: str) -> None:
        """Give the settings a tracking server, which browsers reach under another address."""
        environment = {
            "PERENNIAL_HOME": str(self.home),
            "PERENNIAL_MLFLOW_URI": uri,
            "PERENNIAL_MLFLOW_PUBLIC_URL": "https://mlflow.example/",
        }
        self.records = replace(self.records, settings=load_settings(environment))

    def log_in(self, *models: str, edits: bool = True) -> None:
        """Let a user in who may read these models, and edit them or not."""
        from airflow.api_fastapi.core_api.security import get_user
        from fastapi import HTTPException
        from perennial_airflow.pages.access import Reader

        class Known(Reader):
            def expect(self, model: str) -> None:
                if model not in models:
                    raise HTTPException(403, "Forbidden")

            def expect_edit(self, model: str) -> None:
                if not edits:
                    raise HTTPException(403, "Forbidden")
                self.expect(model)

        self.app.dependency_overrides[get_user] = lambda: SimpleNamespace(get_name=lambda: "ann")
        self.app.dependency_overrides[Reader] = lambda: Known(None, None)

    def get(self, path: str, accept: str = "*/*"):
        from starlette.testclient import TestClient

        return TestClient(self.app, follow_redirects=False).get(path, headers={"Accept": accept})

    def post(self, path: str, headers: dict[str, str] | None = None, **sent):
        from starlette.testclient import TestClient

        return TestClient(self.app, follow_redirects=False).post(path, headers=headers, **sent)


OLD = """<!doctype html>
<html lang="en"><head><title>Verdict on sales</title></head><body class="old">
<h1>Verdict on sales</h1></body></html>"""
"""A page as the version before has stored it."""
