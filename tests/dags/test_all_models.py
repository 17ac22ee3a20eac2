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
    made = all_models.dags(None)
    assert [name for name in made if name.startswith("retrain_")] == ["retrain_demo"]
    assert {"rollback_cabs", "rollback_demo"} <= set(made)
    assert all_models.problems() == [
        "models/cabs/model.yaml: Airflow takes no retrain_cabs: TypeError: a tag is too long."
    ]


def test_a_worker_reads_no_spec_but_that_of_the_model_it_is_asked_for(refusing, monkeypatch):
    monkeypatch.delattr(all_models, "load_all")
    assert list(all_models.dags("rollback_demo")) == ["rollback_demo"]
    assert all_models.dags("retrain_cabs") == {}, "Airflow refuses it"
    assert all_models.dags("retrain_nobody") == {}
    assert all_models.dags("retrain_../demo") == {}
    assert all_models.dags("drift_demo") == {}, "it is not watched"
    assert all_models.dags("unknown_demo") == {}
    assert all_models.dags("retrain") == {}
