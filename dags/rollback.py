"""One Airflow DAG `rollback_<model>` for each folder under models/ whose model.yaml is right."""

from airflow.sdk import get_parsing_context
from perennial_airflow.model_dag import ROLLBACK, dag_name
from perennial_airflow.rollback import rollback

from pipelines.settings import load_settings
from pipelines.spec import load_all

wanted = get_parsing_context().dag_id  # a worker asks for one DAG; whoever parses for the UI asks for all
good, _ = load_all(load_settings().models)

for model, spec in good.items():
    name = dag_name(ROLLBACK, model)
    if wanted in (None, name):
        globals()[name] = rollback(spec)
