"""Defines no DAG: shows each broken model.yaml as an import error in Airflow's UI, while all other
models' DAGs live.
"""

from airflow.sdk import get_parsing_context
from perennial_airflow.dags.all_models import problems

from pipelines.errors import SpecError

if get_parsing_context().dag_id is None:
    broken = problems()
    if broken:
        raise SpecError(f"{len(broken)} broken models:\n" + "\n".join(broken))
