"""A model with a text target and a key that holds the event time, from its files to drift."""

from __future__ import annotations

import pytest
from sklearn.metrics import roc_auc_score

from pipelines.bundle.rows import feed_from_table
from pipelines.inference_log.format import earlier_key_text
from tests.served import Watched, trained
from tests.unit.steps.looks import DAY, champion, early, figures
from tests.worlds import DAYS, make_world

TEXTS = "{column: outcome, known_after: 1h, positive: 'yes'}"
DERIVED = (
    "{column: outcome, known_after: 1h, positive: 'yes',\n"
    "  expression: \"CASE bought WHEN 1 THEN 'yes' WHEN 0 THEN 'no' END\"}"
)


def named_world(home, key, target):
    """The small world with its target in words, under another key."""
    world = make_world(home)
    world.respec("key: [visit]", f"key: {key}")
    world.respec("{column: bought, known_after: 1h}", target)
    path = home / "models" / "sales" / "features.py"
    built = "bought=_.bought" if "expression" in target else "outcome=_.word"
    text = path.read_text().replace("bought=_.bought == 1", built)
    path.write_text(
        text.replace('"visit", "at"', f'"{"row_key" if key == "row" else "visit"}", "at"')
    )
    for day in range(DAYS):
        frame = world.frame(day)
        world.rewrite(day, frame.assign(word=["yes" if b else "no" for b in frame.bought]))
    return world


@pytest.fixture(scope="module", params=["texts, key with the time", "derived, key made"])
def named(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("named") / "home"
    key, target = ("row", DERIVED) if "made" in request.param else ("[visit, at]", TEXTS)
    return trained(named_world(home, key, target), DAY)


@pytest.fixture
def watched(named, tmp_path) -> Watched:
    return named.copied(tmp_path / "home")


def auc(watched, rows):
    bundle = champion(watched)
    feed = feed_from_table(bundle.manifest.inputs.columns, rows)
    answers = bundle.predictor.predict_feed(feed)[:, 0]
    return roc_auc_score([label == "yes" for label in rows["outcome"].to_pylist()], answers)


def test_the_bundle_knows_what_the_classes_are_called(watched):
    assert champion(watched).manifest.inputs.binary_classes == ("no", "yes")


def test_labels_of_the_source_are_found_by_the_key(watched):
    rows = watched.rows(DAY)
    watched.serve(rows)
    found = watched.look(DAY)
    assert found.labelled == early(rows).num_rows > 100
    assert found.live == pytest.approx(auc(watched, early(rows)))


def test_a_window_of_batches_is_judged_by_the_same_classes(watched):
    rows = watched.rows(DAY)
    found = watched.look(DAY)
    assert found.source == "batches"
    assert found.labelled == early(rows).num_rows
    assert found.live == pytest.approx(auc(watched, early(rows)))


def test_a_label_of_neither_class_is_none_and_is_said(watched):
    frame = watched.world.frame(DAY)
    frame.loc[:9, "word"], frame.loc[:9, "bought"] = "maybe", 2
    watched.world.rewrite(DAY, frame)
    (watched.world.home / "expectations" / "sales.json").write_text('{"expectations": []}')
    path = watched.world.home / "models" / "sales" / "model.yaml"
    path.write_text(
        path.read_text().replace("WHEN 0 THEN 'no' END", "WHEN 0 THEN 'no' ELSE 'maybe' END")
    )
    found = watched.look(DAY)
    assert found.labelled == early(watched.rows(DAY)).num_rows - 10
    said = "10 labels are neither of the classes 'no' and 'yes'; they do not count as labelled"
    assert said in watched.ports.store.get(found.page).decode().replace("&#39;", "'")
    assert figures(watched, found)["counts"]["labelled"] == found.labelled


def test_rows_that_were_logged_under_the_earlier_spelling_are_found(watched, monkeypatch):
    if "at" not in watched.context.spec.key:
        pytest.skip("this key holds no time")
    rows = watched.rows(DAY)
    monkeypatch.setattr("tests.served.key_text", earlier_key_text)
    watched.serve(rows)
    assert watched.look(DAY).labelled == early(rows).num_rows
