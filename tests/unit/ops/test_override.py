"""`override`: a refused version serves because a named person says so, marked for ever."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import approvals
from pipelines.cli.app import app
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Refused, RequestError
from pipelines.ledger import Approval, GateVerdict, Override, ReleaseIntent
from pipelines.messages import JudgedInputs
from pipelines.ops.override import OverrideOrder, carry_out
from pipelines.run_names import is_by_hand
from pipelines.steps import gate
from pipelines.store.pages import find_page
from tests.decisions import crown, gate_verdict
from tests.unit.steps.deployments import Following
from tests.unit.steps.learning import GATES, RUN, learning, spec_text

MODEL = "visits"


@cache
def refused_once():
    """A world whose gate has refused version 1, trained once."""
    strict = GATES["binary"].replace("roc_auc: 0.6}", "roc_auc: 0.999}")
    world = learning(Path("/nonexistent"), spec_text(gate=strict))
    gate.run(world.context, world.gate_request(world.train_all()))
    return world


@pytest.fixture
def world():
    learnt = refused_once()
    ports = learnt.context.ports
    return learnt.with_ports(
        ledger=_copy(ports.ledger), registry=_copy(ports.registry), store=_copy(ports.store)
    )


def _copy(port):
    """A memory port of its own, with what the other holds (a lock cannot be copied)."""
    own = copy.copy(port)
    for name, value in vars(port).items():
        if isinstance(value, dict | list):
            setattr(own, name, copy.deepcopy(value))
    return own


def override(world, version="1", refuses=(), *, yes=False, **facts):
    order = OverrideOrder.read(
        **{
            "run": "override:hand__1",
            "version": version,
            "by": "ann",
            "reason": "we need it",
            **facts,
        }
    )
    target = ProcessTarget(Following(world.context, refuses=refuses))
    return carry_out(world.context, order, accept_newer=yes, target=target)


def test_it_serves_by_the_same_proofs_and_is_marked_everywhere(world):
    ports = world.context.ports
    assert override(world).version == "1"
    assert ports.ledger.champion(MODEL).version == "1"
    assert ports.registry.alias(MODEL) == "1"
    (entry,) = ports.ledger.entries(MODEL, "override")
    mark = entry.read(Override)
    assert (mark.version, mark.by, mark.reason, mark.refused_by) == ("1", "ann", "we need it", RUN)
    assert "roc_auc" in mark.reasons[0]
    release = ports.ledger.entries(MODEL, "release")[-1].read(ReleaseIntent)
    assert release.reason == "override by ann, although it was refused: we need it"
    verdict = ports.ledger.entries(MODEL, "verdict")[-1].read(GateVerdict)
    assert verdict.verdict == "refuse", "the verdict stays what it was"
    tags = ports.registry.runs[verdict.run_id].tags
    assert (tags["overridden_by"], tags["override_reason"]) == ("ann", "we need it")
    card = find_page(ports.store, model=MODEL, kind="card", run=RUN).decode()
    assert "It was refused, and ann promoted it all the same: we need it" in card
    assert is_by_hand("override:hand__1")
    ports.ledger.verify()


def test_a_refused_verdict_keeps_what_its_own_challenger_is_packaged_from(world):
    ports = world.context.ports
    [verdict] = [e.read(GateVerdict) for e in ports.ledger.entries(MODEL, "verdict")]
    kept = JudgedInputs.model_validate_json(ports.store.get(verdict.built_from))
    assert [trained.candidate for trained in kept.train] == [verdict.candidate]
    assert kept.features.version.revision == verdict.features_revision


def test_where_the_server_refuses_it_the_order_fails_and_nobody_is_crowned(world):
    with pytest.raises(Refused):
        override(world, refuses={"1"})
    assert world.context.ports.ledger.champion(MODEL) is None


def test_a_champion_that_came_since_is_said_and_asked(world):
    ledger = world.context.ports.ledger
    ledger.crown(MODEL, expected=None, champion=crown("9"), key="x")
    with pytest.raises(RequestError, match=r"while nobody served; now version 9 does.*--yes"):
        override(world)
    assert ledger.entries(MODEL, "override") == []


def test_what_cannot_be_overridden_is_refused_before_anything_is_written(world):
    ledger = world.context.ports.ledger
    ledger.append(MODEL, "good", gate_verdict(version="5"))
    ledger.append(MODEL, "old", gate_verdict(version="6", verdict="refuse", reasons=["no"]))
    for version, why in [
        ("4", "No version 4 of visits was ever judged"),
        ("5", "was not refused"),
        ("6", "did not keep what an override needs"),
    ]:
        with pytest.raises(RequestError, match=why):
            override(world, version)
    ledger.crown(MODEL, expected=None, champion=crown("1"), key="x")
    with pytest.raises(RequestError, match="serves already"):
        override(world)
    assert ledger.entries(MODEL, "override") == []


def test_what_a_person_did_not_approve_counts_as_refused(world):
    ledger = world.context.ports.ledger
    ledger.append(MODEL, "asked", gate_verdict(version="5"))
    no = Approval(
        version="5", approved=False, by="bob", answered_at="2026-01-02T00:00:00Z", why="bob: no"
    )
    ledger.append(MODEL, "asked", no)
    with pytest.raises(RequestError, match="did not keep"):
        override(world, "5")
    assert not approvals.is_overridden(world.context, "5")


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "  \n "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\nERROR b"}, "reason"),
        ({"reason": "\x1b[31mred"}, "reason"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"by": ""}, "by"),
        ({"by": "a\tb"}, "by"),
        ({"version": "../1"}, "version"),
        ({"version": "0"}, "version"),
    ],
)
def test_empty_and_hostile_texts_are_refused(world, facts, field):
    with pytest.raises(RequestError, match=rf"The override is wrong: .*{field}"):
        override(world, **facts)


def test_the_help_teaches_and_a_reason_is_needed():
    told = CliRunner().invoke(app, ["override", "--help"]).output
    for word in ["--reason", "--by", "--yes", "for ever"]:
        assert word in told
    for missing in (["--by", "ann"], ["--reason", "we need it"]):
        assert CliRunner().invoke(app, ["override", "visits", "1", *missing]).exit_code == 2
