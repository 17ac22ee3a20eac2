"""The DAGs of a model whose data have no time: what their pages say, what a trigger may send."""

from __future__ import annotations

from perennial_airflow.dags.drift import drift
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.pages.sentences import describe_entry

from pipelines.intervals import SNAPSHOT
from pipelines.ledger import MemoryLedger, Quarantine
from pipelines.spec import parse_spec
from tests.decisions import NOTHING
from tests.snapshots import SPEC


def spec():
    return parse_spec(SPEC.encode(), "models/loans/model.yaml")


def test_the_retrain_dag_speaks_of_a_snapshot_and_of_no_batches_in_time():
    dag = retrain(spec())
    assert "on a snapshot (no time)" in dag.doc_md
    assert "fits the winner again on all rows but the held-out ones" in dag.doc_md
    assert "None" not in dag.doc_md
    assert "newest snapshot known by then" in dag.params.get_param("as_of").description


def test_the_drift_dag_speaks_of_traffic():
    model = spec()
    assert model.drift is not None
    dag = drift(model, model.drift)
    assert "a window of 2d of traffic" in dag.doc_md
    assert "source whole, as it is now" in dag.doc_md
    assert "None" not in dag.doc_md


def test_a_quarantined_snapshot_has_no_span():
    entry = Quarantine(
        interval=SNAPSHOT,
        version=2,
        batch=NOTHING,
        reasons=["late is 99"],
        bad_rows={},
        page=NOTHING,
    )
    words = describe_entry(MemoryLedger().append("loans", "k", entry))
    assert words.text == "the snapshot: late is 99"
