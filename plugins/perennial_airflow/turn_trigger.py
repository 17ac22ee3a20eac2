"""Waits in the triggerer for the turns of retrainings: one look at the ledger serves them all."""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TaskSkippedEvent, TaskSuccessEvent

from perennial_airflow.dag_names import RETRAIN, dag_name
from pipelines.errors import TryAgain
from pipelines.settings import load_settings
from pipelines.spec import model_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from airflow.triggers.base import TriggerEvent

    from pipelines.ledger import Turn
    from pipelines.turns.keeper import Keeper

    State = Callable[[str, str], Awaitable[str | None]]

LOOK_SECONDS = 1.0
"""So often the line is looked at while somebody waits."""
LIFE_SECONDS = 10.0
"""So often it is asked whether the runs under way are still at work."""
HERE_SECONDS = 5.0
"""Whose trigger has looked so lately is at work: Airflow ends the triggers of all others."""
AT_WORK = {"queued", "running", "restarting"}
NOT_FOUND = 404
BY_HAND = "by hand"
"""The reason that stands in Airflow's form; whoever goes first names another one."""

log = logging.getLogger(__name__)


class TurnTrigger(BaseTrigger):
    """Ends the task `wait` when its run's turn has come, or was declined."""

    def __init__(
        self,
        model: str,
        owner: str,
        priority: int = 0,
        asks: bool = False,  # noqa: FBT001, FBT002 -- Airflow passes them by name
        conf: dict[str, Any] | None = None,
    ) -> None:
        """Remember as what the run stands in line; without `conf` Airflow knows the run's."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.model, self.owner, self.priority, self.asks = model, owner, priority, asks
        self.conf = conf

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return by what Airflow makes it again."""
        names = ("model", "owner", "priority", "asks", "conf")
        path = "perennial_airflow.turn_trigger.TurnTrigger"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Stand in line until the turn comes."""
        ti: Any = self.task_instance
        conf = self.conf if self.conf is not None else _conf_of(ti)
        wish = wish_of(ti.run_id, ti.try_number, conf, self.owner, self.priority, asks=self.asks)
        said, joined = "", False
        while True:
            try:
                watch = await the_watch()
                if not joined:
                    await watch.join(self.model, wish)
                    joined = True
                turn, text = await watch.look(self.model, ti.run_id)
            except TryAgain as error:  # who waits for a turn can wait for the ledger too
                turn, text = None, f"waits for its turn: {error}"
            if text != said:
                said = text
                self.log.info("%s", text)
            if turn is not None and turn.event == "begins":
                yield TaskSuccessEvent()
                return
            if turn is not None and turn.event == "declined":
                yield TaskSkippedEvent()
                return
            await asyncio.sleep(LOOK_SECONDS)


def _conf_of(ti: Any) -> Mapping[str, Any]:
    return ti.get_template_context()["dag_run"].conf or {}


def wish_of(
    run: str, attempt: int, conf: Mapping[str, Any], owner: str, priority: int, *, asks: bool
) -> Turn:
    """Return the entry by which a run joins the line; its conf is hostile input.

    It goes first only with a reason of its own.
    """
    from pipelines.ledger import Turn
    from pipelines.ledger.outcomes import WORDS

    reason = conf.get("reason")
    named = reason.strip()[:WORDS] if isinstance(reason, str) else ""
    first = conf.get("first") is True
    may = first and named not in ("", BY_HAND)
    why = named if may else "it asked to go first without a reason of its own" if first else ""
    body = {"run": run, "event": "waits", "attempt": attempt, "owner": owner, "priority": priority}
    more = {"first": may, "asks": asks, "why": why}
    return Turn.model_validate({**body, **{name: value for name, value in more.items() if value}})


class Watch:
    """Looks at the line for all triggers of this process, at most every LOOK_SECONDS."""

    def __init__(self, keeper: Keeper, state: State) -> None:
        """Watch a keeper's line; `state` tells of a model's run how it is in Airflow."""
        self._keeper, self._state = keeper, state
        self._one = asyncio.Lock()
        self._looked = self._asked = float("-inf")
        self._here: dict[tuple[str, str], float] = {}

    async def join(self, model: str, wish: Turn) -> None:
        """Have a run stand in line, and the next look come at once."""
        async with self._one:
            await asyncio.to_thread(self._keeper.join, model, wish)
            self._looked = float("-inf")

    async def look(self, model: str, run: str) -> tuple[Turn | None, str]:
        """Return the last word on a run's turn, and how it stands, in words."""
        self._here[model, run] = _clock()
        async with self._one:
            if _clock() - self._looked >= LOOK_SECONDS:
                await self._look()
                self._looked = _clock()
            return self._keeper.reader.last(model, run), self._keeper.say(model, run)

    async def _look(self) -> None:
        keeper = self._keeper
        await asyncio.to_thread(keeper.read)
        now = _clock()
        self._here = {run: at for run, at in self._here.items() if now - at < HERE_SECONDS}
        asked = set(keeper.next_runs()) - self._here.keys()
        if now - self._asked >= LIFE_SECONDS:
            self._asked = now
            asked |= set(keeper.runs_under_way())
        states = {run: await self._state(*run) for run in sorted(asked)}
        alive = {run for run, state in states.items() if state in AT_WORK} | self._here.keys()
        gone = {run for run, state in states.items() if state is not None and run not in alive}
        if gone or keeper.turns.begin or keeper.turns.declined:
            await asyncio.to_thread(keeper.give, alive, gone)


def _clock() -> float:
    return asyncio.get_running_loop().time()


async def state_in_airflow(model: str, run: str) -> str | None:
    """Return the state of a retraining; `missing` where Airflow has none of this name, None where
    it cannot say at the moment.
    """
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from asgiref.sync import sync_to_async

    try:
        state = await sync_to_async(RuntimeTaskInstance.get_dagrun_state)(
            dag_id=dag_name(RETRAIN, model), run_id=run
        )
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") == NOT_FOUND:
            return "missing"
        log.warning("Airflow does not say how the run %s of %s is: %s", run, model, error)
        return None
    return str(getattr(state, "value", state))


async def the_watch() -> Watch:
    """Return this process's watch over the line that the settings name."""
    async with _MAKING:
        return await asyncio.to_thread(_make_watch)


_MAKING = asyncio.Lock()


@cache
def _make_watch() -> Watch:
    from pipelines.ports import ConfiguredPorts
    from pipelines.turns.keeper import Keeper
    from pipelines.turns.limits import limits_of

    settings = load_settings()
    ledger = ConfiguredPorts(settings).ledger
    keeper = Keeper(ledger, limits_of(settings), lambda: model_names(settings.models))
    return Watch(keeper, state_in_airflow)
