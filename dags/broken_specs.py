"""Defines no DAG: shows each broken model.yaml as an import error in Airflow's UI, while all other models' DAGs live."""

from airflow.sdk import get_parsing_context

from pipelines.errors import SpecError
from pipelines.settings import load_settings
from pipelines.spec import load_all

if get_parsing_context().dag_id is None:
    _, broken = load_all(load_settings().models)
    if broken:
        raise SpecError(f"{len(broken)} broken model specs:\n" + "\n".join(f"- {error}" for error in broken.values()))
