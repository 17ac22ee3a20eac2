"""`perennial traces` and `perennial erase` on a real state."""

from __future__ import annotations

import json

import pytest

from pipelines.errors import Corrupted
from tests.cli.commands import run_here
from tests.unit.ops.people import PERSON, live
from tests.worlds import make_world

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


@pytest.mark.slow
def test_a_person_is_found_erased_and_not_found(tmp_path):
    world = make_world(tmp_path / "home")
    context = world.context()
    version = live(context)

    def told(*arguments, code=0):
        done = run_here(world, arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "features" in told("traces", PERSON, code=1)
    tar = tmp_path / "backup.tar"
    told("backup", str(tar))
    assert "Nothing was changed" in told("erase", "sales", PERSON)
    assert json.loads(told("erase", "sales", PERSON, "--yes", "--json"))["left"] == []
    assert "0 traces" in told("traces", PERSON)
    found = json.loads(told("traces", PERSON, "--backup", str(tar), "--json", code=1))
    assert {t["place"] for t in found["traces"]} == {"backup"}
    assert any(": store/objects/" in t["name"] for t in found["traces"])
    assert any(": versions/remote/" in t["name"] for t in found["traces"])
    assert any(": store/segments/" in t["name"] for t in found["traces"])
    assert "There is no file" in told("traces", PERSON, "--backup", "no.tar", code=65)
    assert "chain intact" in told("verify")
    assert "it cannot be built again" in told("why", "sales", "1")
    assert "1 row of 1 person erased" in told("history", "sales")
    again = told("erase", "sales", PERSON, "--yes")
    assert "Nothing is left" in again
    assert "destroy the old ones" in again
    assert "No batch of sales" in told("erase", "sales", "zoe", "--yes", code=65)
    assert "nothing to look for" in told("traces", " ", code=65)
    with pytest.raises(Corrupted):
        context.ports.versions.fetch("sales", version, ["2024-01-03T00"])
