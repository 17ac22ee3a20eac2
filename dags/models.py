"""The Airflow DAGs of each folder under models/ whose model.yaml is right: retrain, drift (where it
has a `drift` section), rollback, prove, and replay (where its data come in batches).

For an Airflow that reads this folder. The bundle `perennial_airflow.model_folders.ModelFolders`
makes a file for each group of models instead, and has them parsed when a folder has changed.
"""

from airflow.sdk import get_parsing_context
from perennial_airflow.dags.all_models import dags

globals().update(dags(get_parsing_context().dag_id))
