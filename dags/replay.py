"""One Airflow DAG `replay_<model>` for each folder under models/ whose data come in batches."""

from airflow.sdk import get_parsing_context
from perennial_airflow.dag_names import REPLAY
from perennial_airflow.dags.all_models import dags

globals().update(dags(REPLAY, get_parsing_context().dag_id))
