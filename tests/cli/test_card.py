"""`perennial card`: a version's card as people and as programs get it."""

from __future__ import annotations

import json
import shutil

import pytest

from pipelines.ledger.sql import SqlLedger
from pipelines.settings import local_path
from pipelines.store.local import LocalStore
from tests.cli.commands import run_here
from tests.unit.cards import records


@pytest.fixture
def ask(world):
    """The command in a world whose version 1 was judged."""
    spec = (world.home / "models" / "sales" / "model.yaml").read_bytes()
    store = LocalStore(local_path(world.settings.store))
    ledger = SqlLedger(world.settings.ledger_url)
    records.judged(store, "sales", ledger, made_from=records.recipe(store, spec, "sales"))
    return lambda *arguments: run_here(world, ("card", *arguments))


def test_it_is_printed_as_markdown(ask, world):
    done = ask("sales", "1")
    assert (done.returncode, done.stderr) == (0, "")
    text, spec = done.stdout, world.context().spec
    assert text.startswith("# sales, version 1\n")
    assert f"- purpose: {spec.description}" in text
    assert f"- owner: {spec.owner}" in text
    for title in ("Verdict", "People", "Metrics", "Limits", "Slices", "Data", "Lineage"):
        assert f"\n## {title}\n" in text


def test_without_a_version_it_is_the_newest_where_no_champion_is(ask):
    assert ask("sales").stdout == ask("sales", "1").stdout


def test_programs_get_json_and_the_page_may_be_kept(ask, tmp_path):
    path = tmp_path / "card.html"
    card = json.loads(ask("sales", "1", "--json", "--page", str(path)).stdout)
    assert (card["model"], card["version"], card["run"]) == ("sales", "1", records.RUN)
    assert "Metrics" in [section["title"] for section in card["sections"]]
    assert "<h1>sales, version 1</h1>" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["cabs"], "There is no model 'cabs'"), (["sales", "7"], "knows no version '7'")],
)
def test_what_is_not_there_is_named(ask, arguments, words):
    done = ask(*arguments)
    assert (done.returncode, done.stdout) == (65, "")
    assert words in done.stderr


def test_a_model_whose_folder_is_gone_has_its_cards_still(ask, world):
    before = ask("sales", "1").stdout
    shutil.rmtree(world.home / "models" / "sales")
    assert ask("sales", "1").stdout == before


def test_a_page_that_cannot_be_written_is_named(ask, tmp_path):
    done = ask("sales", "1", "--page", str(tmp_path / "none" / "card.html"))
    assert (done.returncode, done.stdout) == (65, "")
    assert "cannot be written to" in done.stderr
    assert "name a file in a folder that exists" in done.stderr
