"""The step `replay`: what it answers, the page of its run, and what a trigger may not say."""

from __future__ import annotations

import pytest

from pipelines.errors import RequestError
from pipelines.messages import ReplayRequest
from pipelines.replay import replay
from pipelines.step_record import XCOM_LIMIT, record_line
from pipelines.store.pages import find_page
from pipelines.verdicts import words
from tests.unit.replay.conftest import NOW
from tests.worlds import as_of


def ask(world, **conf):
    return replay.run(world.context(), ReplayRequest(run="manual__1", now=NOW, conf=conf))


@pytest.mark.slow
def test_a_run_publishes_its_page_and_answers_in_short(lived, tmp_path):
    world = lived.copied(tmp_path / "home")
    policies = [{"every": 2, "gate": "none"}]
    result = ask(world, start=as_of(2), end=as_of(4), policies=policies)
    assert result.batches == 2
    assert result.recommended == ""
    assert result.retrainings["policy 1, no gate"] == 0
    assert set(result.means) == set(result.retrainings)
    assert len(record_line("replay", result)) < XCOM_LIMIT
    store = world.context().ports.store
    page = find_page(store, model="sales", kind="replay", run="manual__1").decode()
    assert "policy 1, no gate" in page
    said = [line.text for line in words.replay(result)]
    assert any("cannot be told" in text for text in said)


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"until": "2024-01-05"}, "until"),
        ({"start": "soon"}, "start"),
        ({"policies": [{"every": 2, "gate": "open"}]}, "policies.1"),
        ({"policies": [{"run": "rm -rf"}]}, "policies.1"),
        ({"policies": [{"every": 2}] * 16}, "policies"),
    ],
)
def test_a_wrong_conf_is_refused_with_its_place(lived, conf, words):
    with pytest.raises(RequestError, match=words) as error:
        ask(lived.world, **conf)
    assert error.value.remedy
