"""`perennial fleet`: who needs a person, and who does not."""

from __future__ import annotations

import json
import shutil


def test_every_model_is_shown_with_how_it_stands(command, world):
    (world.home / "models" / "torn").mkdir()
    (world.home / "models" / "torn" / "model.yaml").write_text("name: torn\n")
    done = command("fleet")
    assert done.returncode == 0, done.stderr
    assert "2 models: 1 broken, 1 new." in done.stdout
    found = json.loads(command("fleet", "--json").stdout)
    assert [(m["model"], m["state"], m["owner"]) for m in found] == [
        ("torn", "broken", ""),
        ("sales", "new", "shop"),
    ]


def test_filters_choose_and_say_of_how_many(command, world):
    assert "1 model of 1" not in command("fleet").stdout
    done = command("fleet", "--owner", "nobody")
    assert done.stdout.strip() == "0 models of 1."
    assert json.loads(command("fleet", "--state", "new", "--json").stdout)[0]["model"] == "sales"
    assert json.loads(command("fleet", "SHOP", "--json").stdout)[0]["model"] == "sales"
    assert command("fleet", "--state", "sad").returncode == 64


def test_a_slow_folder_is_named_with_its_seconds(command, monkeypatch):
    monkeypatch.setattr("pipelines.cli.output.SLOW_SECONDS", 0.0)
    for name in ("models", "status"):
        done = command(name, "--json")
        assert "warning: models/sales: it takes 0." in done.stderr
        json.loads(done.stdout)
    assert json.loads(command("models", "--json").stdout)[0]["seconds"] > 0


def test_no_name_is_cut_on_a_narrow_screen_and_columns_without_a_word_are_left_out(command, world):
    name = "sales_of_each_week_in_the_northern_region"
    shutil.copytree(world.home / "models" / "sales", world.home / "models" / name)
    spec = world.home / "models" / name / "model.yaml"
    spec.write_text(spec.read_text().replace("name: sales", f"name: {name}"))
    done = command("fleet", COLUMNS="60")
    assert "…" not in done.stdout
    assert "owner" in done.stdout
    assert "tags" not in done.stdout
    assert "retraining" not in done.stdout
