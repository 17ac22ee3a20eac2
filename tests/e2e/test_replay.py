"""A past is lived through by mapped tasks of a started Airflow, to the figures of the command."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from pipelines.ports import ConfiguredPorts
from pipelines.store.pages import find_page
from tests.e2e.live import MODEL, RUN_SECONDS
from tests.worlds import as_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

REPLAY = f"replay_{MODEL}"
START, END = as_of(3), as_of(7)


def versions(live):
    """When each version that replays keep was written (seconds since 1970)."""
    root = live.settings.state / "replays" / MODEL / "store" / "keys" / "results"
    return [path.stat().st_mtime for path in (root / "replay-version").iterdir()]


def test_parts_are_mapped_a_killed_one_goes_on_and_the_figures_are_the_commands(live):
    conf = {"start": START, "end": END, "reason": "end to end"}
    live.api.trigger(REPLAY, conf, "past")
    live.kill_step("prepare_replay")
    assert live.api.wait(REPLAY, "past", RUN_SECONDS) == "success"
    tasks = live.api.tasks(REPLAY, "past")
    parts = live.api.result(REPLAY, "past", "plan_replay")
    mapped = sorted((t.index, t.label) for t in tasks if t.task == "prepare_replay")
    assert mapped == list(enumerate(part["name"] for part in parts))
    assert len(mapped) == 2
    assert live.tries(REPLAY, "past", "prepare_replay") == 2

    prepared = [live.api.result(REPLAY, "past", "prepare_replay", index) for index, _ in mapped]
    assert sum(part["versions"] for part in prepared) == len(versions(live)) == 4
    [last] = [task for task in tasks if task.task == "replay"]
    assert max(versions(live)) < datetime.fromisoformat(last.start).timestamp(), (
        "the replay made none itself"
    )

    found = live.api.result(REPLAY, "past", "replay")
    span = ("--from", START, "--to", END)
    # It finds the versions there; that they are those of a fresh one: tests/unit/replay/test_parts
    done = live.perennial("replay", MODEL, *span, "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    policies = json.loads(done.stdout)["outcome"]["policies"]
    assert found["means"] == {policy["name"]: policy["mean"] for policy in policies}
    assert found["retrainings"] == {policy["name"]: policy["retrainings"] for policy in policies}
    page = find_page(ConfiguredPorts(live.settings).store, model=MODEL, kind="replay", run="past")
    assert policies[0]["name"].encode() in page


def test_a_wrong_conf_fails_once_and_names_its_place(live):
    live.api.trigger(REPLAY, {"policies": [{"every": 0}]}, "wrong-policy")
    assert live.api.wait(REPLAY, "wrong-policy", RUN_SECONDS) == "failed"
    assert live.tries(REPLAY, "wrong-policy", "plan_replay") == 1, "a retry cannot help"
    assert "conf: policies.1" in live.last_log(REPLAY, "wrong-policy", "plan_replay")
