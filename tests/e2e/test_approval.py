"""A person between verdict and package, through a started Airflow: no answer, an override, and a
yes.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from pipelines.ledger import Approval, Override
from pipelines.ports import ConfiguredPorts
from pipelines.spec import load_spec
from stack.dags import await_dags
from tests.e2e.live import BACK, TURNED
from tests.worlds import as_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.live import Live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MODEL = "asked"
RETRAIN = f"retrain_{MODEL}"
NOBODY_CAN = "approval: required, approval_within: 1m, approvers: [ann]"
ADMIN_CAN = "approval: required, approvers: [admin]"


@dataclass(frozen=True)
class Asking:
    """A model of the stack that asks, and short ways to its questions and answers."""

    live: Live
    spec: Path

    def asks(self, gate: str) -> None:
        """Have the spec say who is asked, and for how long."""
        lines = [x for x in self.spec.read_text().splitlines() if not x.startswith("gate:")]
        rules = "at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc}, min_rows: 50"
        self.spec.write_text("\n".join([*lines, f"gate: {{{rules}, {gate}}}", ""]))

    def retrain(self, run: str, day: int) -> None:
        """Start a retraining and wait until it asks."""
        self.live.start(MODEL, run, as_of=as_of(day), reason="end to end")
        self.live.until(
            lambda: self.state(run, "ask") in {"awaiting_input", "failed", "skipped"}, "it asks"
        )
        assert self.state(run, "ask") == "awaiting_input"

    def state(self, run: str, task: str) -> str | None:
        return self.live.states(RETRAIN, run).get(task)

    def path(self, run: str) -> str:
        return f"/api/v2/dags/{RETRAIN}/dagRuns/{run}/taskInstances/ask/-1/hitlDetails"

    def question(self, run: str) -> dict[str, Any]:
        return self.live.api._send("GET", self.path(run)).json()

    def answer(self, run: str, choice: str) -> int:
        """Answer as the user that tests are, and return the status."""
        body = {"chosen_options": [choice], "params_input": {}}
        return self.live.api._send("PATCH", self.path(run), json=body).status_code

    def end(self, run: str, choice: str) -> str:
        """Wait until the run has ended, and return its state.

        Airflow loses an answer that comes while its scheduler still puts the task aside, and asks
        once more (docs/approval.md): then the answer is given again.
        """

        def has_been_heard() -> bool:
            if self.state(run, "ask") == "awaiting_input":
                self.answer(run, choice)
            return self.state(run, "ask") in {"success", "failed", "skipped"}

        self.live.until(has_been_heard, "the answer counts", pause_seconds=2)
        return self.live.end(MODEL, run)

    def serves(self) -> str | None:
        champion = ConfiguredPorts(self.live.settings).ledger.champion(MODEL)
        return champion.version if champion else None

    def answers(self) -> list[Approval]:
        return [e.read(Approval) for e in self.live.ledger(MODEL, "approval")]


@pytest.fixture(scope="module")
def asking(live: Live) -> Asking:
    """The small model once more, under another name, with one candidate and a gate that asks."""
    home = live.world.home
    folder = home / "models" / MODEL
    shutil.copytree(home / "models" / live.world.model, folder)
    spec = folder / "model.yaml"
    text = spec.read_text().replace(f"name: {live.world.model}", f"name: {MODEL}")
    head, gate_and_more = text.split("gate:\n")
    head, candidates = head.split("candidates:\n")
    [linear] = [line for line in candidates.splitlines() if "name: linear" in line]
    candidate = linear.replace(", search: {C: [0.1, 1.0]}", "")
    drift = gate_and_more[gate_and_more.index("drift:") :]
    spec.write_text(f"{head}candidates:\n{candidate}\n{drift}")
    suite = (home / "expectations" / f"{live.world.model}.json").read_text()
    suite = suite.replace(f'"{live.world.model}"', f'"{MODEL}"')
    (home / "expectations" / f"{MODEL}.json").write_text(suite)
    found = Asking(live, spec)
    found.asks(NOBODY_CAN)
    assert await_dags(live.api, [load_spec(live.settings.models, MODEL)], timeout_seconds=120) == []
    return found


@pytest.fixture(scope="module")
def unanswered(asking: Asking) -> Asking:
    """A run whose approver never comes."""
    asking.retrain("unanswered", TURNED)
    return asking


def test_who_has_no_right_cannot_approve_and_no_answer_in_time_is_a_no(unanswered):
    live, run = unanswered.live, "unanswered"
    assert f"/perennial/pages/{MODEL}/verdict/{run})" in unanswered.question(run)["body"]
    address = live.layout.airflow_url + unanswered.path(run)
    body = {"chosen_options": ["Approve"], "params_input": {}}
    assert httpx.patch(address, json=body).status_code == 401
    # Within its minute, not being `ann`; after it, because Airflow has answered
    assert unanswered.answer(run, "Approve") in {403, 409}
    assert live.end(MODEL, run) == "success"
    states = live.states(RETRAIN, run)
    assert [states[t] for t in ("ask", "approve", "package", "deploy", "close")] == [
        *("success", "success", "skipped", "skipped", "success")
    ]
    [entry] = unanswered.answers()
    assert (entry.approved, entry.by) == (False, "")
    assert "nobody approved it by" in live.last_log(RETRAIN, run, "approve")
    assert unanswered.serves() is None
    assert unanswered.answer(run, "Approve") == 409, "too late"


def test_an_override_has_it_serve_and_says_so(unanswered):
    live = unanswered.live
    by_ann = ("--by", "ann", "--reason", "we know better")
    done = live.perennial("override", MODEL, "1", *by_ann)
    assert done.returncode == 0, done.stderr
    assert unanswered.serves() == live.describe(MODEL)["version"] == "1"
    [mark] = live.ledger(MODEL, "override")
    assert mark.read(Override).by == "ann"
    assert (
        "refused, and overridden by ann: we know better" in live.perennial("status", MODEL).stdout
    )
    again = live.perennial("override", MODEL, "1", *by_ann)
    assert again.returncode == 65
    assert "serves already" in again.stderr
    assert len(live.ledger(MODEL, "override")) == 1


def test_a_yes_has_it_serve_once(unanswered):
    live, run = unanswered.live, "approved"
    unanswered.asks(ADMIN_CAN)
    unanswered.retrain(run, BACK)
    version = live.result(MODEL, run, "gate")["version"]
    assert unanswered.answer(run, "Approve") == 200
    assert unanswered.answer(run, "Reject") == 409, "an answer cannot be taken back"
    assert unanswered.end(run, "Approve") == "success"
    assert unanswered.serves() == live.describe(MODEL)["version"] == version
    entry = unanswered.answers()[-1]
    assert (entry.version, entry.approved, entry.by) == (version, True, "admin")
    entries = [e.seq for e in live.ledger(MODEL) if e.kind != "alert"]
    live.clear(RETRAIN, run, "ask")
    assert live.end(MODEL, run) == "success"
    assert live.states(RETRAIN, run)["ask"] == "skipped"
    assert unanswered.serves() == version
    assert [e.seq for e in live.ledger(MODEL) if e.kind != "alert"] == entries
