"""What Perennial adds to Airflow's own server: its pages, and the way to them.

The only file here that Airflow itself imports. It also loads what our DAG files need: scheduler and
DAG processor load plugins once, before they fork, and each task and each parse finds that loaded.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from perennial_airflow.dags import alerts, all_models  # noqa: F401 -- see the docstring
from perennial_airflow.links import URL_PREFIX


class PerennialPlugin(AirflowPlugin):
    """The pages below /perennial and their entry in the navigation, under Browse.

    Every part of Airflow loads its plugins, down to each task; only the API server asks for the app
    and for what stands in front of its API, and only then they are made. The links of tasks need no
    entry here: each operator brings its own.
    """

    name = "perennial"
    external_views: list[Any] = [  # noqa: RUF012 -- Airflow's type
        # Without a `url_route` it opens as a page of its own: in Airflow's sandboxed frame no link
        # could lead back to Airflow, nor a caged page to its neighbour. Such an entry works in a
        # menu only: at the top, Airflow 3.3.2 makes it a button without effect.
        {"name": "Perennial", "href": f"{URL_PREFIX}/", "destination": "nav", "category": "browse"},
    ]

    @cached_property
    # Made when asked for.
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """What every request passes: wrong keys are refused at the trigger.

        On SQLite, requests that write take turns.
        """
        from airflow.configuration import conf
        from perennial_airflow.one_writer import OneWriter
        from perennial_airflow.trigger import RefuseUnknownKeys

        stages = [
            {
                "middleware": RefuseUnknownKeys,
                "args": [],
                "kwargs": {},
                "name": "Perennial's params",
            }
        ]
        if conf.get("database", "sql_alchemy_conn").startswith("sqlite"):
            stages.append(
                {
                    "middleware": OneWriter,
                    "args": [],
                    "kwargs": {},
                    "name": "Perennial: one writer at a time",
                }
            )
        return stages

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]  # made when asked for
        """The app with the pages."""
        from perennial_airflow.pages.app import make_app

        return [{"app": make_app(), "url_prefix": URL_PREFIX, "name": "Perennial"}]
