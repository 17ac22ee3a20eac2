"""Where Airflow shows the pages of a run, for whoever links there from outside of Airflow; and how
one is made that is not there.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from pipelines.settings import is_web, without_password

if TYPE_CHECKING:
    from pipelines.settings import Settings


def airflow_address(settings: Settings) -> str:
    """Return Airflow's address for people's browsers, without a slash at its end."""
    url = settings.airflow_public_url
    address = without_password(url) if is_web(url) else f"http://127.0.0.1:{settings.airflow_port}"
    return address.rstrip("/")


def run_page(settings: Settings, model: str, kind: str, run: str) -> str:
    """Return the address of a run's page of a kind (see `store.pages`)."""
    return f"{airflow_address(settings)}/perennial/pages/{model}/{kind}/{quote(run, safe='')}"


def command_of_page(model: str, run: str) -> str:
    """Return the command that makes Evidently's page of an earlier look."""
    return f"perennial drift {model} --page-of {shlex.quote(run)}"
