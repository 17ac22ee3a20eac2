from types import SimpleNamespace

import pytest
from perennial_airflow.dags import all_models

from tests.dags.specs import write_models


@pytest.fixture
def refusing(tmp_path, monkeypatch):
    """Two models, of which Airflow refuses one's retrain DAG."""
    monkeypatch.setenv("PERENNIAL_HOME", str(write_models(tmp_path, "cabs", "demo")))

    def make(spec):
        if spec.name == "cabs":
            raise TypeError("a tag is too long")
        return SimpleNamespace(dag_id=f"retrain_{spec.name}")

    monkeypatch.setattr(all_models, "retrain", make)


def test_a_dag_that_airflow_refuses_takes_no_other_with_it(refusing):
    assert list(all_models.dags("retrain", None)) == ["retrain_demo"]
    assert list(all_models.dags("rollback", None)) == ["rollback_cabs", "rollback_demo"]
    assert all_models.problems() == [
        "models/cabs/model.yaml: Airflow takes no retrain_cabs: TypeError: a tag is too long."
    ]
