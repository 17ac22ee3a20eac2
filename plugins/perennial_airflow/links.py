"""The links that tasks show in Airflow's UI.

To the pages of a run, to MLflow, to the retraining that a drift run started.

A task works them out when it ends, whatever its end, and Airflow keeps them. They are relative to
where Airflow itself is served, so that they hold behind a gateway or a tunnel too.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import BaseOperatorLink

from perennial_airflow.dag_names import DRIFT, RETRAIN, dag_name
from pipelines.mlflow_pages import mlflow_address
from pipelines.run_names import watch_run
from pipelines.settings import load_settings
from pipelines.steps import catalogue
from pipelines.steps.catalogue import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

URL_PREFIX = "/perennial"
"""Where the plugin's pages are served."""


def airflow_path() -> str:
    """Return the path below which Airflow is served: empty, or such as `/airflow`."""
    from airflow.configuration import conf

    return urlsplit(conf.get("api", "base_url", fallback="/")).path.rstrip("/")


def login_path(after: str) -> str:
    """Return the path of the log-in, whichever auth manager Airflow has.

    It leads on to the path `after`.
    """
    return f"{airflow_path()}/api/v2/auth/login?{urlencode({'next': after})}"


def run_path(dag_id: str, run: str) -> str:
    """Return the path of a run in Airflow's UI."""
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(run, safe='')}"


def page_path(model: str, kind: str, run: str) -> str:
    """Return the path of a run's page of a kind (see pipelines/store/pages.py) among the
    plugin's.
    """
    return f"{URL_PREFIX}/pages/{model}/{kind}/{quote(run, safe='')}"


def model_path(model: str) -> str:
    """Return the path of a model's history among the plugin's pages."""
    return f"{URL_PREFIX}/models/{model}"


def why_path(model: str, version: str) -> str:
    """Return the path of the page that says how a version came to be."""
    return f"{URL_PREFIX}/why/{model}/{quote(version, safe='')}"


def incidents_path(model: str) -> str:
    """Return the path of the page that shows what is wrong with a model."""
    return f"{URL_PREFIX}/incidents/{model}"


def answer_path(model: str, question: str, subject: str) -> str:
    """Return the path at which a program asks about a model."""
    return f"{URL_PREFIX}/api/{model}/{question}/{quote(subject, safe='')}"


def mlflow_path(model: str, run_id: str = "") -> str:
    """Return the path of the plugin's that leads on to MLflow: to a run, or to the model's
    experiment.
    """
    return f"{URL_PREFIX}/mlflow/{model}" + (f"/{quote(run_id, safe='')}" if run_id else "")


class PageLink(BaseOperatorLink):
    """The HTML page that a step published for its run."""

    def __init__(self, kind: str, name: str = "Page", of: str | None = None) -> None:
        """Link to the page of this kind, or, for a card, to that of the version which the result
        names (that of the step `of`, which the request holds).
        """
        self._kind = kind
        self._name = name
        self._of = of

    @property
    def name(self) -> str:
        """What the button says."""
        return self._name

    @property
    def xcom_key(self) -> str:
        """Where Airflow keeps the link."""
        return f"_link_page_{self._kind}"

    def get_link(  # type: ignore[override]  # Airflow takes None for «no link», and does not say so
        self, operator: Any, *, ti_key: Any
    ) -> str | None:
        """Return the page's path, which is known before the page is there.

        None for the card of a run that registered no version: no card will be there.
        """
        if self._kind == "card" and not _result_of(operator, self._of).get("version"):
            return None
        is_shared = self._kind == "validation" and ti_key.dag_id == dag_name(DRIFT, operator.model)
        return airflow_path() + page_path(
            operator.model, self._kind, watch_run(ti_key.run_id) if is_shared else ti_key.run_id
        )


class MlflowLink(BaseOperatorLink):
    """The MLflow run that a step wrote, or spoke of.

    `part` is the field of its request that names it (None: its result).
    """

    name = "MLflow run"

    def __init__(self, field: str, part: str | None = None) -> None:
        """Link to the run whose id stands in this field."""
        self._field = field
        self._part = part

    def get_link(  # type: ignore[override]  # Airflow takes None for «no link», and does not say so
        self,
        operator: Any,
        *,
        ti_key: Any,  # noqa: ARG002 -- Airflow's signature
    ) -> str | None:
        """Return the path that leads on to the run.

        None where the step did not get so far, or where MLflow has no web address.
        """
        run_id = str(_result_of(operator, self._part).get(self._field) or "")
        if not run_id or mlflow_address(load_settings()) is None:
            return None
        return airflow_path() + mlflow_path(operator.model, run_id)


class ModelLink(BaseOperatorLink):
    """What happened to the model: every decision from the ledger."""

    name = "Model's history"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 -- Airflow's signature
        """Return the page's path."""
        return airflow_path() + model_path(operator.model)


class RetrainingLink(BaseOperatorLink):
    """The run of the retrain DAG that a drift run started or waits for."""

    name = "Retraining run"

    def get_link(  # type: ignore[override]  # as above
        self,
        operator: Any,
        *,
        ti_key: Any,  # noqa: ARG002 -- Airflow's signature
    ) -> str | None:
        """Return the run's path; None where none was started."""
        run = operator.retraining
        return airflow_path() + run_path(dag_name(RETRAIN, operator.model), run) if run else None


def _result_of(operator: Any, step: str | None) -> Mapping[str, Any]:
    """Return the task's own result (None), or that of a step which its request holds."""
    found: Mapping[str, Any] = operator.result if step is None else operator.fields.get(step) or {}
    return found


@cache
def step_links(step: str) -> tuple[BaseOperatorLink, ...]:
    """Return the links that the tasks of a step have, as its declaration says."""
    return tuple(_operator_link(link) for link in STEPS[step].links)


def _operator_link(link: catalogue.Link) -> BaseOperatorLink:
    if isinstance(link, catalogue.PageLink):
        return PageLink(link.kind, link.title, link.of)
    if isinstance(link, catalogue.MlflowLink):
        return MlflowLink(link.field, link.of)
    return ModelLink() if link == "history" else RetrainingLink()
