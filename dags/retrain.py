"""One Airflow DAG `retrain_<model>` for each folder under models/ whose model.yaml is right."""

from airflow.sdk import get_parsing_context
from perennial_airflow.retrain import PREFIX, retrain

from pipelines.settings import load_settings
from pipelines.spec import load_all

wanted = get_parsing_context().dag_id  # a worker asks for one DAG; whoever parses for the UI asks for all
good, _ = load_all(load_settings().models)

for name, spec in good.items():
    if wanted in (None, PREFIX + name):
        globals()[PREFIX + name] = retrain(spec)
