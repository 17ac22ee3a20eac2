"""`perennial replay`: a past lived through, as people and as programs see it."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import run_here
from tests.worlds import make_world


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A world of few days, which is lived through by the first command and then known."""
    world = make_world(tmp_path_factory.mktemp("replay") / "home", days=5)
    world.respec("until: 2024-01-09", "until: 2024-01-06")
    world.respec(", search: {C: [0.1, 1.0]}", "")
    (world.home / "calm.yaml").write_text("every: 2\ngate: none\n")
    (world.home / "wrong.yaml").write_text("every: 2\ngates: none\n")
    return world


def replay(world, *options):
    given = ("--only", "--policy", "calm.yaml", "--workers", "1")
    return run_here(world, ("replay", "sales", *given, *options), COLUMNS="200")


@pytest.mark.slow
def test_people_see_a_table_and_what_can_be_told_and_programs_all_of_it(world):
    done = replay(world)
    assert done.returncode == 0, done.stderr
    assert "calm, no gate" in done.stdout
    assert "roc_auc of 3 batches, 2024-01-03 to 2024-01-06" in done.stdout
    assert "No policy is recommended" in done.stdout or "Recommended" in done.stdout
    assert "versions made" in done.stderr

    body = json.loads(replay(world, "--json").stdout)
    (policy,) = body["outcome"]["policies"]
    assert (policy["name"], policy["retrainings"]) == ("calm, no gate", 1)
    assert policy["alarms"] is None
    assert body["page_file"].endswith(".html")
    assert body["costs"]["together"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", "soon"), "--from 'soon' is no date"),
        (("--to", "2030-01-01"), "lies after the newest complete batch"),
        (("--policy", "wrong.yaml"), "gates"),
        (("--policy", "absent.yaml"), "cannot be read as a policy"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(world, options, words):
    done = replay(world, *options)
    assert done.returncode == 65
    assert words in done.stderr
    assert "Remedy: " in done.stderr


def test_a_model_must_be_named_and_only_needs_a_policy(world):
    assert "replay needs a model" in run_here(world, ("replay",)).stderr
    assert "compares nothing" in run_here(world, ("replay", "sales", "--only")).stderr


def test_for_programs_it_is_the_step(world):
    conf = {"policies": [{"every": 0}]}
    request = {"run": "manual__1", "now": "2026-01-01T00:00:00Z", "conf": conf}
    done = run_here(world, ("replay", "--model", "sales", "--request", json.dumps(request)))
    assert done.returncode == 65
    assert "conf: policies.1" in done.stderr
