"""One Airflow DAG `retrain_<model>` for each folder under models/ whose model.yaml is right."""

from airflow.sdk import get_parsing_context
from perennial_airflow.dag_names import RETRAIN
from perennial_airflow.dags.all_models import dags

globals().update(dags(RETRAIN, get_parsing_context().dag_id))
