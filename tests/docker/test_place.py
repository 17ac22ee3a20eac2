"""Steps in containers of a real engine: what they are asked, and what comes back."""

from __future__ import annotations

import json

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tests.docker.steps import Heard, context, operator, started
from tests.step_endings import ENDINGS, HOSTILE, HOSTILE_RUN, TWO_STREAMS

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("nothing_left")]


def test_the_result_is_found_among_logs_of_both_streams_and_the_last_record_counts(settings):
    task = operator(settings, "import textwrap; exec(textwrap.dedent(request['more']))")
    task.request["more"] = TWO_STREAMS
    assert task.execute(context()) == {"n": 2}


def test_the_streams_are_told_apart_so_that_no_line_is_torn(settings):
    heard = Heard()
    with started(
        operator(settings),
        "sys.stdout.write('one '); sys.stdout.flush(); say('other'); print('line'); say('no end')",
    ) as running:
        assert running.follow(heard) == 0
    assert [line for stream, line in heard.lines if stream == "stdout"] == ["one line"]
    assert [line for stream, line in heard.lines if stream == "stderr"] == ["other", "no end"]


def test_a_request_of_the_largest_size_and_whatever_stands_in_it_arrive_as_data(settings, tmp_path):
    conf = {**HOSTILE, "long": "a" * 110_000}
    task = operator(
        settings,
        "open('/state/seen', 'w').write(json.dumps(request)); record({'n': 1})",
        step="ingest",
    )
    assert task.execute(context(HOSTILE_RUN, conf)) == {"n": 1}
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


def test_secrets_reach_the_step_and_nobody_else(settings, monkeypatch, capfd):
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "postgresql://u:hunter2@db/shop")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("SOMETHING_ELSE", "hunter2")
    code = (
        "record({n: len(os.environ.get(n, '')) for n in ('PERENNIAL_SQL_SHOP',"
        " 'MLFLOW_TRACKING_PASSWORD', 'SOMETHING_ELSE')})"
    )
    task = operator(settings, code)
    assert list(task.execute(context()).values()) == [
        len("postgresql://u:hunter2@db/shop"),
        len("hunter2"),
        0,
    ]
    assert "hunter2" not in repr(vars(task))
    assert "hunter2" not in repr(task._setup(context()))
    assert tuple(task.template_fields) == ()
    assert "hunter2" not in "".join(capfd.readouterr())
