"""The task `wait`: where it is, what it asks for, and how the triggerer serves those who wait."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from airflow.triggers.base import TaskSkippedEvent, TaskSuccessEvent
from perennial_airflow import turn_trigger
from perennial_airflow.dags.all_models import group_dags, problems
from perennial_airflow.dags.retrain import retrain
from perennial_airflow.groups import file_name, group_of
from perennial_airflow.turn_operator import TRIGGER
from perennial_airflow.turn_trigger import TurnTrigger, Watch, wish_of

from pipelines.errors import Unreachable
from pipelines.ledger import MemoryLedger, Outcome
from pipelines.spec import parse_spec
from pipelines.turns.keeper import Keeper
from pipelines.turns.limits import Limits
from tests.dags.specs import make_spec, spec_text, write_models


@pytest.fixture
def bounded(monkeypatch):
    monkeypatch.setenv("PERENNIAL_RETRAININGS_AT_ONCE", "2")


def spec_with(resources: str):
    text = spec_text("demo") + f"resources: {resources}\n"
    return parse_spec(text.encode(), "models/demo/model.yaml")


class TestTheDag:
    def test_without_a_limit_there_is_no_such_task(self):
        dag = retrain(make_spec("demo"))
        assert "wait" not in dag.task_ids
        assert "waits in line" not in dag.doc_md

    @pytest.mark.parametrize("name", ["AT_ONCE_PER_OWNER", "PER_DAY", "PER_DAY_PER_OWNER"])
    def test_any_limit_makes_it(self, name, monkeypatch):
        monkeypatch.setenv(f"PERENNIAL_RETRAININGS_{name}", "2")
        assert "wait" in retrain(make_spec("demo")).task_ids

    @pytest.mark.usefixtures("bounded")
    def test_all_else_comes_after_it_and_it_holds_no_worker(self):
        dag = retrain(spec_with("{priority: 3}"))
        wait = dag.get_task("wait")
        assert wait.downstream_task_ids == {"ingest", "close"}
        assert (wait.is_setup, dag.get_task("close").is_teardown) == (True, True)
        assert wait.start_from_trigger is True
        assert wait.start_trigger_args.trigger_cls == TRIGGER
        assert wait.start_trigger_args.trigger_kwargs == {
            "model": "demo",
            "owner": "tests-team",
            "priority": 3,
            "asks": False,
        }
        assert "`wait`" in dag.doc_md

    @pytest.mark.usefixtures("bounded")
    def test_airflow_keeps_that_it_begins_in_the_triggerer(self):
        from airflow.serialization.serialized_objects import DagSerialization

        made = DagSerialization.from_dict(DagSerialization.to_dict(retrain(make_spec("demo"))))
        assert made.get_task("wait").start_from_trigger is True
        assert made.get_task("wait").start_trigger_args.trigger_cls == TRIGGER

    @pytest.mark.usefixtures("bounded")
    def test_a_run_s_later_tasks_come_before_the_first_ones_of_others(self):
        rules = {t.task_id: str(t.weight_rule) for t in retrain(make_spec("demo")).tasks}
        assert "upstream" in rules["ingest"].lower()
        assert rules["ingest"] == rules["train"] == rules["close"]

    def test_a_priority_is_the_weight_of_every_task(self):
        tasks = retrain(spec_with("{priority: 4}")).tasks
        assert {task.priority_weight for task in tasks} == {5}
        assert {task.priority_weight for task in retrain(make_spec("demo")).tasks} == {1}


class TestPools:
    def test_a_step_s_own_pool_counts_before_the_model_s(self, monkeypatch):
        monkeypatch.setenv("PERENNIAL_POOLS", "small=1,gpu=2")
        dag = retrain(spec_with("{pool: small, pools: {train: gpu}}"))
        found = {task.task_id: task.pool for task in dag.tasks}
        assert (found["train"], found["ingest"]) == ("gpu", "small")
        assert {task.pool for task in retrain(make_spec("demo")).tasks} == {"default_pool"}

    def test_a_pool_that_nobody_makes_is_named_and_makes_no_dag(self, tmp_path, monkeypatch):
        home = write_models(tmp_path, "good", "bad")
        file = home / "models/bad/model.yaml"
        file.write_text(file.read_text() + "resources: {pools: {train: gpu}}\n")
        monkeypatch.setenv("PERENNIAL_HOME", str(home))
        monkeypatch.setenv("PERENNIAL_POOLS", "warehouse=2")
        folder = tmp_path / "bundle"
        folder.mkdir()
        assert "retrain_bad" not in group_dags(str(folder / file_name(group_of("bad"))), None)
        [said] = problems()
        assert said.startswith("models/bad/model.yaml: Airflow takes no retrain_bad")
        assert "PERENNIAL_POOLS makes no pool 'gpu' (it has warehouse)" in said


@pytest.mark.parametrize(
    ("conf", "first", "why"),
    [
        ({}, False, ""),
        ({"reason": "a fair"}, False, ""),
        ({"reason": " a fair ", "first": True}, True, "a fair"),
        ({"reason": "by hand", "first": True}, False, "it asked to go first without a reason"),
        ({"first": True}, False, "it asked to go first without a reason"),
        ({"reason": ["x"], "first": True}, False, "it asked to go first without a reason"),
        ({"reason": "a fair", "first": "yes"}, False, ""),
    ],
)
def test_only_who_names_a_reason_goes_first(conf, first, why):
    wish = wish_of("r", 1, conf, "shop", 0, asks=False)
    assert (wish.first, wish.why.startswith(why), bool(wish.why)) == (first, True, bool(why))


class Airflow:
    """The states of runs, and how often they were asked for."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, str], str | None] = {}
        self.asked = 0

    async def state(self, model: str, run: str) -> str | None:
        self.asked += 1
        return self.states.get((model, run), "running")


class Triggers:
    """Triggers of models a, b, c … that share one watch, as in one triggerer."""

    def __init__(self, monkeypatch, limits: Limits) -> None:
        self.ledger, self.airflow = MemoryLedger(), Airflow()
        keeper = Keeper(self.ledger, limits, lambda: list("abcdef"))
        self.watch = Watch(keeper, self.airflow.state)

        async def the_watch() -> Watch:
            return self.watch

        monkeypatch.setattr(turn_trigger, "the_watch", the_watch)
        monkeypatch.setattr(turn_trigger, "LOOK_SECONDS", 0.01)
        monkeypatch.setattr(turn_trigger, "LIFE_SECONDS", 0.05)

    async def event(self, model: str, run: str = "r1", attempt: int = 1, **conf):
        trigger = TurnTrigger(model, owner="shop", conf=conf)
        trigger.task_instance = SimpleNamespace(run_id=run, try_number=attempt, task_id="wait")
        async for event in trigger.run():
            return event
        raise AssertionError("it ended without a word")

    def end(self, model: str, run: str = "r1") -> None:
        self.ledger.append(model, run, Outcome(outcome="refused", version="", reasons=[], run=run))


@pytest.fixture
def triggers(monkeypatch):
    return Triggers(monkeypatch, Limits(at_once=1, per_day=3))


def test_one_after_the_other_ends_with_success_and_the_rest_is_skipped(triggers):
    async def all_of_them():
        waiting = [asyncio.create_task(triggers.event(model)) for model in "abcde"]
        ended = set()
        while len(ended) < 3:
            await asyncio.sleep(0.02)
            for number, model in enumerate("abcde"):
                if waiting[number].done() and model not in ended:
                    ended.add(model)
                    triggers.end(model)
        return [type(event) for event in await asyncio.gather(*waiting)]

    kinds = asyncio.run(all_of_them())
    assert sorted(k.__name__ for k in kinds) == ["TaskSkippedEvent"] * 2 + ["TaskSuccessEvent"] * 3


def test_a_dead_run_s_turn_is_given_to_the_next(triggers):
    async def two():
        assert isinstance(await triggers.event("a"), TaskSuccessEvent)
        waiting = asyncio.create_task(triggers.event("b"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        triggers.airflow.states["a", "r1"] = "failed"
        return await asyncio.wait_for(waiting, 10)

    assert isinstance(asyncio.run(two()), TaskSuccessEvent)


@pytest.mark.parametrize(("state", "events"), [(None, ["waits"]), ("failed", ["waits", "ends"])])
def test_a_run_of_another_triggerer_begins_when_airflow_says_it_is_there(triggers, state, events):
    wish = wish_of("r1", 1, {}, "shop", 0, asks=False)

    async def look():
        triggers.airflow.states["a", "r1"] = state
        await triggers.watch.join("a", wish)
        await triggers.watch.look("b", "r1")
        return [e.decision.event for e in triggers.ledger.entries("a", "turn")]

    assert asyncio.run(look()) == events


def test_a_run_of_another_triggerer_that_is_there_begins(triggers):
    async def look():
        await triggers.watch.join("a", wish_of("r1", 1, {}, "shop", 0, asks=False))
        return await triggers.watch.look("a", "r1") and await triggers.watch.look("b", "r1")

    asyncio.run(look())
    assert triggers.ledger.entries("a", "turn")[-1].decision.event == "begins"


def test_a_triggerer_that_comes_back_finds_the_turn_that_began(triggers):
    async def again():
        return [await triggers.event("a") for _ in range(2)]

    assert [type(e) for e in asyncio.run(again())] == [TaskSuccessEvent] * 2
    assert len(triggers.ledger.entries("a", "turn")) == 2


def test_a_ledger_that_is_away_for_a_while_is_waited_for(triggers, monkeypatch):
    answers = [Unreachable("The ledger is away."), Unreachable("The ledger is away."), None]
    since = triggers.ledger.since

    def stumble(*asked):
        if (fault := answers.pop(0) if answers else None) is not None:
            raise fault
        return since(*asked)

    monkeypatch.setattr(triggers.ledger, "since", stumble)
    assert isinstance(asyncio.run(triggers.event("a")), TaskSuccessEvent)
    assert answers == []


def test_who_goes_first_does_so_whatever_the_budget_says(monkeypatch):
    triggers = Triggers(monkeypatch, Limits(per_day=1))

    async def three():
        return [
            await triggers.event("a"),
            await triggers.event("b"),
            await triggers.event("c", first=True, reason="the fair begins"),
        ]

    kinds = [type(event) for event in asyncio.run(three())]
    assert kinds == [TaskSuccessEvent, TaskSkippedEvent, TaskSuccessEvent]
    assert "goes first" in triggers.ledger.entries("c", "turn")[0].decision.words


def test_one_look_serves_all_who_wait(triggers, monkeypatch):
    async def many():
        await triggers.event("a")
        monkeypatch.setattr(turn_trigger, "LOOK_SECONDS", 30.0)
        monkeypatch.setattr(turn_trigger, "LIFE_SECONDS", 30.0)
        await triggers.watch.look("a", "r1")
        before = triggers.airflow.asked
        for _ in range(20):
            await triggers.watch.look("b", "r1")
        return triggers.airflow.asked - before

    assert asyncio.run(many()) == 0


def test_airflow_can_make_the_trigger_again():
    path, kwargs = TurnTrigger("a", "shop", 2, asks=True, conf={"first": True}).serialize()
    assert path == TRIGGER
    assert TurnTrigger(**kwargs).serialize() == (path, kwargs)
