"""Reads DAG files as Airflow does, in a process of its own, and prints what came of it.

`python bag.py FOLDER [DAG_ID]`.
"""

import json
import os
import sys
from pathlib import Path

if len(sys.argv) > 2:
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = sys.argv[2]

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

bag = DagBag(sys.argv[1], safe_mode=True)
facts = {
    "dags": sorted(bag.dag_ids),
    "errors": {Path(path).name: text for path, text in bag.import_errors.items()},
    "modules": sorted(sys.modules),
    "serialized": {
        dag_id: json.dumps(DagSerialization.to_dict(dag), sort_keys=True)
        for dag_id, dag in bag.dags.items()
    },
}
sys.stdout.write("\nFACTS " + json.dumps(facts) + "\n")
sys.stdout.flush()
os._exit(0)  # to take Airflow apart takes as long as to read the files
