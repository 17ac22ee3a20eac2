"""One Airflow DAG `drift_<model>` for each folder under models/ whose model.yaml is right and has a `drift` section."""

from airflow.sdk import get_parsing_context
from perennial_airflow.drift import drift
from perennial_airflow.model_dag import DRIFT, dag_name

from pipelines.settings import load_settings
from pipelines.spec import load_all

wanted = get_parsing_context().dag_id  # a worker asks for one DAG; whoever parses for the UI asks for all
good, _ = load_all(load_settings().models)

for model, spec in good.items():
    name = dag_name(DRIFT, model)
    if spec.drift is not None and wanted in (None, name):
        globals()[name] = drift(spec, spec.drift)
