"""One Airflow DAG `rollback_<model>` for each folder under models/ whose model.yaml is right."""

from airflow.sdk import get_parsing_context
from perennial_airflow.dag_names import ROLLBACK
from perennial_airflow.dags.all_models import dags

globals().update(dags(ROLLBACK, get_parsing_context().dag_id))
