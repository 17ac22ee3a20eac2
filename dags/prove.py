"""One Airflow DAG `prove_<model>` for each folder under models/ whose model.yaml is right."""

from airflow.sdk import get_parsing_context
from perennial_airflow.dag_names import PROVE
from perennial_airflow.dags.all_models import dags

globals().update(dags(PROVE, get_parsing_context().dag_id))
