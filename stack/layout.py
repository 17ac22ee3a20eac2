"""Where the stack keeps what: every path below the state folder, and the addresses on 127.0.0.1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[1]
"""The code: dags/, plugins/ and the packages.

Models may lie elsewhere (the setting PERENNIAL_HOME).
"""

HOST = "127.0.0.1"

LOCK_SECONDS = 30
"""How long Airflow and MLflow wait for the lock of a SQLite database.

With SQLite's 5 s, a busy machine answers with 500.
"""


@dataclass(frozen=True)
class Layout:
    """One stack's files and addresses."""

    settings: Settings

    @property
    def state(self) -> Path:
        """The folder of all state."""
        return self.settings.state

    @property
    def airflow(self) -> Path:
        """Airflow's home."""
        return self.state / "airflow"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.state / "mlflow"

    @property
    def airflow_database(self) -> str:
        """The address of Airflow's database."""
        return sqlite_url(self.airflow / "airflow.db")

    @property
    def mlflow_database(self) -> str:
        """The address of MLflow's database, where this stack runs MLflow."""
        return sqlite_url(self.mlflow / "mlflow.db")

    @property
    def logs(self) -> Path:
        """One log for each program."""
        return self.state / "log"

    @property
    def secrets(self) -> Path:
        """Keys and passwords, for the owner's eyes."""
        return self.state / "secrets"

    @property
    def run(self) -> Path:
        """What the running stack needs.

        Supervisord's configuration, the record of what runs, a lock.
        """
        return self.state / "stack"

    @property
    def pidfile(self) -> Path:
        """Where supervisord writes its process id."""
        return self.run / "supervisord.pid"

    @property
    def airflow_url(self) -> str:
        """Airflow's UI and API."""
        return f"http://{HOST}:{self.settings.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        """MLflow's UI and API, where this stack runs it."""
        return f"http://{HOST}:{self.settings.mlflow_port}"

    @property
    def serving_url(self) -> str:
        """The server, where this stack runs it."""
        return f"http://{HOST}:{self.settings.serving_port}"

    @property
    def runs_mlflow(self) -> bool:
        """Tell whether MLflow is this stack's (else the setting PERENNIAL_MLFLOW_URI says where it
        is).
        """
        given = self.settings.is_set("mlflow_uri")
        return not given or self.settings.mlflow_uri == self.mlflow_url

    @property
    def runs_serving(self) -> bool:
        """Tell whether the server is this stack's (else the setting PERENNIAL_SERVING_URL says
        where it is).
        """
        return self.serving_url in [url.rstrip("/") for url in self.settings.serving_urls]

    def log(self, program: str) -> Path:
        """Return a program's log."""
        return self.logs / f"{program}.log"


def sqlite_url(file: Path) -> str:
    """Return SQLAlchemy's address of a SQLite database, with a long wait for its lock.

    Any character may stand in the path.
    """
    from sqlalchemy import URL

    return URL.create(
        "sqlite", database=str(file), query={"timeout": str(LOCK_SECONDS)}
    ).render_as_string()
