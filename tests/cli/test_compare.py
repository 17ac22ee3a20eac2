"""`perennial compare`: two versions as tables, a page and JSON, on rows later than both fits."""

import json
from pathlib import Path

import pytest

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.ledger import ReleaseIntent
from pipelines.refs import Ref
from tests.cli.commands import run_here
from tests.decisions import gate_verdict
from tests.worlds import make_world

STEPS = ("ingest", "validate", "features", "train", "gate", "package")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A world with a version, another one with fewer rows and parameters, and two days after."""
    world = make_world(tmp_path_factory.mktemp("compare") / "home")
    for step in STEPS:
        as_of = ["--as-of", "2024-01-05"] if step == "ingest" else []
        done = run_here(world, (step, "sales", *as_of, "--json"))
        assert done.returncode == 0, done.stderr
    packaged = Ref.model_validate(json.loads(done.stdout)["bundle"])
    for step in STEPS[:3]:
        as_of = ["--as-of", "2024-01-07"] if step == "ingest" else []
        assert run_here(world, (step, "sales", *as_of)).returncode == 0
    ports = world.context().ports
    manifest = BundleManifest.model_validate_json(ports.store.get(packaged))
    settings = manifest.settings.model_copy(update={"params": {"C": 9.0}})
    changes = {"version": "2", "rows": 17, "settings": settings}
    other = write_bundle(ports.store, manifest.model_copy(update=changes))
    for number, (version, bundle) in enumerate({"1": packaged, "2": other}.items(), 1):
        intent = ReleaseIntent(number=number, version=version, bundle=bundle, reason="a test")
        ports.ledger.append("sales", f"r{number}", intent)
    ports.ledger.append("sales", "refused", gate_verdict(version="3", verdict="refuse"))
    return world


def test_people_get_tables_and_a_page_of_their_own(released, tmp_path):
    page = tmp_path / "versions.html"
    done = run_here(released, ("compare", "sales", "1", "2", "--page", str(page)), COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "later than all that either was fitted on" in done.stdout
    assert "0 of" in done.stdout
    assert "decisions flip" in done.stdout
    assert f"Page: {page}" in done.stdout
    assert "sales: version 1 and version 2" in page.read_text()
    assert "17" in done.stdout


def test_programs_get_all_figures(released):
    figures = json.loads(run_here(released, ("compare", "sales", "1", "2", "--json")).stdout)
    assert figures["versions"] == ["1", "2"]
    assert {m["metric"] for m in figures["metrics"]} >= {"roc_auc", "log_loss"}
    assert all(m["gain"] == 0 for m in figures["metrics"])
    assert figures["differences"]["flips"] == 0
    assert {p["name"]: p["after"] for p in figures["parameters"]}["C"] == "9"
    rows = {line["name"]: line for line in figures["origin"]}["rows"]
    assert rows["after"] == "17" != rows["before"]
    assert Path(figures["page_file"]).is_file()


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("1", "1", "named twice"),
        ("1", "8", "has no version '8'"),
        ("3", "1", "Version 3 of sales was refused"),
        ("../1", "<b>", "has no version '../1'"),
    ],
)
def test_what_cannot_be_compared_is_said(released, one, other, words):
    done = run_here(released, ("compare", "sales", one, other))
    assert done.returncode == 65
    assert words in done.stderr
    assert "Traceback" not in done.stderr
