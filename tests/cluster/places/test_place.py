"""Steps in pods of a real cluster: what they are asked, and what comes back."""

from __future__ import annotations

import json
import os

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from perennial_airflow.places.pod_request import request_pod

from tests import step_endings
from tests.cluster.places.pods import Heard, context, operator, started
from tests.step_endings import ENDINGS, HOSTILE_RUN, TWO_STREAMS

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.usefixtures("nothing_left"),
]
HOSTILE = {**step_endings.HOSTILE, "secret": "$(PERENNIAL_SQL_SHOP) $$(HOME) $HOME $$ $"}


def test_the_result_is_found_among_logs_of_both_streams_and_the_last_record_counts(settings):
    task = operator(settings, "import textwrap; exec(textwrap.dedent(request['more']))")
    task.request["more"] = TWO_STREAMS
    assert task.execute(context()) == {"n": 2}


def test_a_request_of_the_largest_size_and_whatever_stands_in_it_arrive_as_data(
    settings, tmp_path, core, monkeypatch
):
    core.create_namespaced_secret(
        settings.kubernetes_namespace,
        {"metadata": {"name": "of-steps"}, "stringData": {"PERENNIAL_SQL_SHOP": "hunter2"}},
    )
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "hunter2")
    conf = {**HOSTILE, "long": "a" * 110_000}
    task = operator(
        settings.replace(kubernetes_steps_secret="of-steps"),
        "open('/state/seen', 'w').write(json.dumps(request)); record({'n': 1})",
        step="ingest",
    )
    assert task.execute(context(HOSTILE_RUN, conf, "ingest")) == {"n": 1}
    seen = json.loads((tmp_path / "state" / "seen").read_text())
    assert (seen["conf"], seen["run"]) == (conf, HOSTILE_RUN)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["seen"]


@pytest.mark.parametrize(("code", "kind", "words"), ENDINGS)
def test_what_the_end_of_a_step_means_is_the_same_as_in_a_process(settings, code, kind, words):
    with pytest.raises(AirflowException, match=words) as caught:
        operator(settings, code).execute(context())
    assert type(caught.value) is kind


def test_a_step_that_needs_more_memory_than_its_spec_gives_is_told_so_and_not_tried_again(settings):
    task = operator(
        settings, "x = bytearray(400_000_000); record({'n': len(x)})", limits={"memory": "64m"}
    )
    with pytest.raises(
        AirflowFailException,
        match=r"out of memory: the step may use 64m \(resources.memory in model.yaml\)",
    ):
        task.execute(context())


def test_a_step_that_is_silent_for_long_is_followed_to_its_end(settings):
    code = "say('begins'); time.sleep(20); say('ends'); record({'n': 1})"
    with started(operator(settings), code) as running:
        heard = Heard()
        assert running.follow(heard) == 0
    assert [line for line in heard.lines if "record" not in line] == ["begins", "ends"]
    assert sum("record" in line for line in heard.lines) == 1


def test_secrets_reach_the_step_that_needs_them_and_nobody_else(settings, core, monkeypatch, capfd):
    core.create_namespaced_secret(
        settings.kubernetes_namespace,
        {
            "metadata": {"name": "two-secrets"},
            "stringData": {
                "PERENNIAL_LEDGER_URL": "postgresql://u:hunter2@db/ledger",
                "PERENNIAL_SIGNING_KEY": "hunter2",
                "PERENNIAL_SQL_SHOP": "hunter2",
            },
        },
    )
    monkeypatch.setenv("PERENNIAL_LEDGER_URL", "postgresql://u:hunter2@db/ledger")
    monkeypatch.setenv("PERENNIAL_SIGNING_KEY", "hunter2")
    monkeypatch.setenv("SOMETHING_ELSE", "hunter2")
    known = settings.replace(
        kubernetes_steps_secret="two-secrets", kubernetes_steps_secret_keys="PERENNIAL_SQL_SHOP"
    )
    names = ["LEDGER_URL", "SIGNING_KEY", "SQL_SHOP"]
    code = f"record({{n: len(os.environ.get('PERENNIAL_' + n, '')) for n in {names}}})"
    task = operator(known, code)
    assert task.execute(context()) == {"LEDGER_URL": 32, "SIGNING_KEY": 0, "SQL_SHOP": 7}
    pod = str(request_pod(task, task.limits, context(), known, os.environ))
    assert "hunter2" not in repr(vars(task)) + pod
    packager = operator(known, code, step="package")
    assert packager.execute(context(step="package"))["SIGNING_KEY"] == 7
    assert "hunter2" not in "".join(capfd.readouterr())
