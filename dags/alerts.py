"""The Airflow DAG `alerts`, where PERENNIAL_ALERTS names the routes; else none."""

from airflow.sdk import get_parsing_context
from perennial_airflow.dag_names import ALERTS
from perennial_airflow.dags.alerts import alerts

if get_parsing_context().dag_id in {None, ALERTS}:
    globals().update(alerts())
