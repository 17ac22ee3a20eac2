"""One Airflow DAG `retrain_<model>` for each folder under models/ whose model.yaml is right."""

from airflow.sdk import get_parsing_context
from perennial_airflow.defined import dags
from perennial_airflow.model_dag import RETRAIN

globals().update(dags(RETRAIN, get_parsing_context().dag_id))
