"""One Airflow DAG `drift_<model>` for each folder under models/ whose model.yaml is right and has a
`drift` section.
"""

from airflow.sdk import get_parsing_context
from perennial_airflow.dag_names import DRIFT
from perennial_airflow.dags.all_models import dags

globals().update(dags(DRIFT, get_parsing_context().dag_id))
