"""Defines no DAG: shows each broken model.yaml as an import error in Airflow's UI, while all other
models' DAGs live.
"""

from airflow.sdk import get_parsing_context
from perennial_airflow.dags.all_models import problems

from pipelines.errors import SpecError

if get_parsing_context().dag_id is None:
    found = problems()
    if found:
        raise SpecError(f"{len(found)} broken models:\n" + "\n".join(found))
