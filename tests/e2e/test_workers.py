"""Tasks on workers that take them from a broker (PERENNIAL_EXECUTOR=celery).

Workers and the broker are killed in the middle: each run ends, and each effect is there once.
One retraining is under way at a time; the others wait in line.
"""

import contextlib
import json
import shutil

import psutil
import pytest

from pipelines.ports import ConfiguredPorts
from stack.processes import stack_processes
from tests.e2e.live import MODEL, RETRAIN, free_ports, running, stack_environ
from tests.worlds import as_of, make_world

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1_800)]

OTHER = "other"
"""A second model, of an owner whose budget is one retraining a day; its search is spread."""
ONCE = ("verdict", "release", "champion", "outcome")
ENDS = {"success", "failed"}


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A stack of its own with a broker and two workers; `package` waits in a queue of its own."""
    home = tmp_path_factory.mktemp("celery") / "home"
    world = make_world(home)
    world.respec("alike:", "resources: {queues: {package: narrow}, pools: {gate: judges}}\nalike:")
    _copy_model(home, OTHER)
    environ = stack_environ(str(home), free_ports("AIRFLOW", "MLFLOW", "SERVING")) | {
        "PERENNIAL_EXECUTOR": "celery",
        "PERENNIAL_QUEUES": "default,narrow",
        "PERENNIAL_RETRAININGS_AT_ONCE": "1",
        "PERENNIAL_RETRAININGS_PER_DAY_PER_OWNER": "other=1",
        "PERENNIAL_POOLS": "judges=1",
    }
    with running(world, environ) as live:
        yield live
    assert stack_processes(str(live.settings.state)) == {}


def _copy_model(home, name):
    shutil.copytree(home / "models/sales", home / "models" / name)
    for file in (home / "models" / name / "model.yaml", home / f"expectations/{name}.json"):
        if not file.exists():
            shutil.copy(home / "expectations/sales.json", file)
        text = file.read_text().replace("name: sales", f"name: {name}")
        text = text.replace('"name": "sales"', f'"name": "{name}"')
        spread = text.replace("gate:", "search: {parallel: 2}\ngate:", 1)
        file.write_text(spread.replace("owner: shop", f"owner: {name}"))


def worker_of(live, step):
    """The name of the worker that has the step at work."""
    family = {process.pid for process in live.await_step(step).parents()}
    [name] = [name for name, pid in live.pids().items() if pid in family and "worker" in name]
    return name


def effects(live, run_id):
    entries = live.ledger(MODEL)
    return {kind: sum(e.kind == kind and e.key == run_id for e in entries) for kind in ONCE}


def test_a_killed_worker_s_task_is_done_by_another_try_and_once(live):
    live.start(MODEL, "first", as_of=as_of(3))
    name = worker_of(live, "train")
    before = live.pids()
    live.kill_program(name)
    live.until(lambda: live.is_back(name, before[name]), f"{name} is back")
    assert live.end(MODEL, "first") == "success"
    assert live.tries(RETRAIN, "first", "train") == 2
    assert effects(live, "first") == dict.fromkeys(ONCE, 1)
    ConfiguredPorts(live.settings).ledger.verify()


def test_a_worker_that_stands_still_comes_back_too_late_and_changes_nothing(live):
    """As one whose machine was paused, or cut off: another one has done its task meanwhile."""
    run = "stands_still"
    live.start(MODEL, run, as_of=as_of(3), force=True, reason="a worker stands still")
    name = worker_of(live, "train")
    worker = psutil.Process(live.pids()[name])
    family = [worker, *worker.children(recursive=True)]
    late = {process.pid for process in family if "pipelines" in process.cmdline()}
    assert late, "its step is at work"
    for process in family:
        process.suspend()
    try:
        live.until(
            lambda: live.tries(RETRAIN, run, "train") > 1 or live.api.state(RETRAIN, run) in ENDS,
            "the task is given to another one",
        )
        assert live.end(MODEL, run) == "success"
        before = effects(live, run)
        tasks = live.states(RETRAIN, run)
        champions = live.champions()
    finally:
        for process in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
    live.until(lambda: not any(map(psutil.pid_exists, late)), "what came too late has ended")
    assert effects(live, run) == before
    assert (before["verdict"], before["outcome"]) == (1, 1)
    assert max(before.values()) == 1
    assert (live.states(RETRAIN, run), live.champions()) == (tasks, champions)
    versions = ConfiguredPorts(live.settings).registry.versions(MODEL)
    assert [v.tags["run"] for v in versions].count(run) == 1
    ConfiguredPorts(live.settings).ledger.verify()
    live.until(live.is_healthy, "all are healthy")


def test_a_broker_that_is_killed_loses_nothing_that_was_queued(live):
    live.start(MODEL, "second", as_of=as_of(8))
    live.await_step("features")
    before = live.pids()["broker"]
    psutil.Process(before).kill()
    live.until(lambda: live.is_back("broker", before), "the broker is back")
    assert live.end(MODEL, "second") == "success"
    found = effects(live, "second")
    assert (found["verdict"], found["outcome"]) == (1, 1)
    assert max(found.values()) == 1
    assert live.is_healthy()


def test_a_step_waits_in_the_queue_that_the_spec_names(live):
    answer = live.api._send(
        "GET", f"/api/v2/dags/{RETRAIN}/dagRuns/first/taskInstances", params={"limit": 100}
    )
    queues = {task["task_id"]: task["queue"] for task in answer.json()["task_instances"]}
    assert (queues["package"], queues["gate"]) == ("narrow", "default")


def test_nobody_else_may_ask_the_broker(live):
    socket = live.layout.run / "broker.sock"
    assert oct(socket.stat().st_mode)[-3:] == "700"
    broker = psutil.Process(live.pids()["broker"])
    assert [c for c in broker.net_connections("inet") if c.status == "LISTEN"] == []


def events(live, model, run_id):
    return [e.decision.event for e in live.ledger(model, "turn") if e.run == run_id]


def test_a_retraining_waits_for_its_turn_without_a_worker(live):
    assert live.start(OTHER, "waits", as_of=as_of(3)) == "waits"
    assert live.end(OTHER, "waits") == "success", "its turn came at once: nothing is under way"
    live.start(MODEL, "third", as_of=as_of(8), reason="long", force=True)
    live.until(lambda: events(live, MODEL, "third") == ["waits", "begins"], "a turn begins")
    live.start(MODEL, "fourth", as_of=as_of(8))
    live.start(OTHER, "declined", as_of=as_of(4))
    assert live.end(OTHER, "declined") == "success"
    states = live.states(f"retrain_{OTHER}", "declined")
    assert set(states.values()) == {"skipped"}, states
    assert events(live, OTHER, "declined") == ["waits", "declined"]
    assert not [e for e in live.ledger(OTHER, "outcome") if e.run == "declined"]
    live.start(OTHER, "first", as_of=as_of(4), first=True, reason="a customer waits")
    live.until(lambda: events(live, OTHER, "first") == ["waits"], "it stands in line")
    assert live.states(f"retrain_{OTHER}", "first")["wait"] == "deferred"
    shown = live.perennial("fleet", "--json")
    [row] = [m for m in json.loads(shown.stdout) if m["model"] == OTHER]
    assert (row["turn"], row["place_in_line"]) == ("waits", 1), shown.stderr
    assert row["waits_because"] == "1 of 1 retrainings are under way"
    live.until(
        lambda: "1st in line" in live.last_log(f"retrain_{OTHER}", "first", "wait"),
        "the task's log says so",
    )


def test_a_search_that_is_spread_finds_what_one_task_finds(live):
    """Two models that differ by it alone, retrained on the same rows."""
    assert live.states(f"retrain_{OTHER}", "waits")["search linear 1"] == "success"
    assert "search" not in " ".join(live.states(RETRAIN, "first"))
    alone = live.result(MODEL, "first", "train", 1)
    spread = live.result(OTHER, "waits", "train", 1)
    for fact in ("candidate", "params", "cv_score", "fold_scores", "metrics", "settings_tried"):
        assert spread[fact] == alone[fact], fact
    store = ConfiguredPorts(live.settings).store
    assert list(store.contents("entries", "searches")) == [], "the board was taken down"


def test_a_run_that_is_ended_by_hand_gives_its_turn_to_the_next(live):
    before = live.pids()["triggerer"]
    live.kill_program("triggerer")  # the line is in the ledger
    live.until(lambda: live.is_back("triggerer", before), "the triggerer is back")
    answer = live.api._send(
        "PATCH", f"/api/v2/dags/{RETRAIN}/dagRuns/third", json={"state": "failed"}
    )
    assert answer.status_code == 200, answer.text
    assert live.end(OTHER, "first") == "success"
    assert events(live, OTHER, "first") == ["waits", "begins"]
    assert live.end(MODEL, "fourth") == "success"
    turns = sorted((e for m in (MODEL, OTHER) for e in live.ledger(m, "turn")), key=lambda e: e.seq)
    order = [e.run for e in turns if e.decision.event == "begins"]
    assert order[-3:] == ["third", "first", "fourth"]


def test_a_run_that_is_cleared_whole_stands_in_line_again(live):
    live.clear(RETRAIN, "fourth", "ingest")
    assert live.end(MODEL, "fourth") == "success"
    assert events(live, MODEL, "fourth") == ["waits", "begins"] * 2


def test_a_pool_that_the_settings_name_is_there(live):
    body = live.api._send("GET", "/api/v2/pools/judges").json()
    assert body["slots"] == 1
    answer = live.api._send(
        "GET", f"/api/v2/dags/{RETRAIN}/dagRuns/fourth/taskInstances", params={"limit": 100}
    )
    pools = {task["task_id"]: task["pool"] for task in answer.json()["task_instances"]}
    assert (pools["gate"], pools["train"]) == ("judges", "default_pool")
