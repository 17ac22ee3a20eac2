"""A fleet's DAG files: one for each group of models, parsed when a folder of its models changed."""

from __future__ import annotations

import os
import re
import shutil
import time

import pytest
from perennial_airflow.dags import all_models
from perennial_airflow.groups import file_name, group_of, raise_problems
from perennial_airflow.model_folders import AGAIN_SECONDS, ModelFolders

from pipelines.errors import SpecError
from pipelines.spec.folders import Stopwatch
from tests.dags.specs import spec_text, write_models

OLD = 1_000_000_000


class Fleet:
    """A bundle over model folders, whose clock stands still until it is moved."""

    def __init__(self, home) -> None:
        self.models, self.now = home / "models", 0.0
        self.bundle = ModelFolders(name="fleet", clock=lambda: self.now)
        self.bundle.initialize()
        self.bundle.refresh()
        self.now += AGAIN_SECONDS
        self.bundle.refresh()
        self.rest()

    def file(self, model: str):
        return self.bundle.path / file_name(group_of(model))

    def rest(self) -> None:
        """Let every file be old."""
        for file in self.bundle.path.glob("*.py"):
            os.utime(file, (OLD, OLD))

    def changed(self) -> set[str]:
        """Look at the folders; return the files that Airflow would parse again."""
        self.bundle.refresh()
        return {f.name for f in self.bundle.path.glob("*.py") if f.stat().st_mtime > OLD}

    def parse(self, model: str) -> list[str]:
        return sorted(all_models.group_dags(str(self.file(model)), None))

    def problems(self) -> str:
        try:
            raise_problems(str(self.bundle.path / "broken_specs.py"))
        except SpecError as error:
            return str(error)
        return ""


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    monkeypatch.setenv("PERENNIAL_HOME", str(write_models(tmp_path, "cabs", "demo")))
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "files"))
    return Fleet(tmp_path)


def ids(model: str) -> list[str]:
    return [f"{kind}_{model}" for kind in ("prove", "replay", "retrain", "rollback")]


def test_each_model_is_in_one_file_and_no_other_folder_changes_which(fleet, tmp_path):
    assert fleet.parse("cabs") == ids("cabs")
    before = fleet.file("cabs")
    write_models(tmp_path, *(f"model_{number}" for number in range(40)))
    fleet.bundle.refresh()
    assert fleet.file("cabs") == before
    found = [
        d for f in fleet.bundle.path.glob("models_*.py") for d in all_models.group_dags(f, None)
    ]
    assert len(found) == len(set(found)) == 42 * 4


def test_a_changed_folder_has_its_own_group_parsed_and_once_more(fleet):
    """The first parse may have read the folder just before it changed."""
    assert fleet.changed() == set()
    (fleet.models / "cabs" / "model.yaml").write_text(spec_text("cabs") + "# a word\n")
    assert fleet.changed() == {fleet.file("cabs").name}
    fleet.rest()
    assert fleet.changed() == set()
    fleet.now += AGAIN_SECONDS
    assert fleet.changed() == {fleet.file("cabs").name, "broken_specs.py"}
    fleet.rest()
    fleet.now += 100
    assert fleet.changed() == set()


def test_a_new_model_is_parsed_and_one_that_is_gone_has_no_file(fleet, tmp_path):
    write_models(tmp_path, "trams")
    assert fleet.file("trams").name in fleet.changed()
    shutil.rmtree(fleet.models / "cabs")
    fleet.bundle.refresh()
    assert not fleet.file("cabs").exists()


def test_what_lies_in_airflows_folder_is_there_too_but_no_second_dag_of_a_model(fleet):
    names = {file.name for file in fleet.bundle.path.glob("*.py")}
    groups = {fleet.file("cabs").name, fleet.file("demo").name}
    assert names - groups <= {"alerts.py", "broken_specs.py"}


def test_a_worker_reads_the_one_model_whose_dag_it_is_asked_for(fleet, monkeypatch):
    monkeypatch.delattr(all_models, "model_names")
    assert list(all_models.group_dags(str(fleet.file("demo")), "retrain_demo")) == ["retrain_demo"]
    assert all_models.group_dags(str(fleet.file("demo")), "retrain_nobody") == {}


def test_a_broken_model_is_shown_at_once_and_its_neighbours_live(fleet, tmp_path):
    neighbour = next(n for n in (f"n{i}" for i in range(999)) if group_of(n) == group_of("cabs"))
    write_models(tmp_path, neighbour)
    (fleet.models / "cabs" / "model.yaml").write_text(spec_text("cabs") + "colour: red\n")
    fleet.changed()
    fleet.rest()
    assert fleet.parse("cabs") == ids(neighbour)
    assert "1 broken model:\nmodels/cabs/model.yaml:" in fleet.problems()
    assert fleet.changed() == {"broken_specs.py"}
    (fleet.models / "cabs" / "model.yaml").write_text(spec_text("cabs"))
    assert fleet.parse("cabs") == sorted([*ids("cabs"), *ids(neighbour)])
    assert fleet.problems() == ""


SECONDS = 2.0
"""The limits below: no good folder takes so long, on a busy machine either."""


@pytest.fixture
def heavy(fleet, tmp_path, monkeypatch):
    """A model whose folder lies on a disk that answers late, as long as its spec says `heavy`."""
    name = next(n for n in (f"h{i}" for i in range(999)) if group_of(n) == group_of("cabs"))
    write_models(tmp_path, name)
    spec = fleet.models / name / "model.yaml"
    spec.write_text(spec_text(name) + "# heavy\n")
    read = all_models.load_spec

    def read_late(models, model):
        if model == name and "# heavy" in spec.read_text():
            watch = Stopwatch()  # on a busy machine a sleep is no time of its own
            while watch.seconds < SECONDS + 0.5:
                time.sleep(0.05)
        return read(models, model)

    monkeypatch.setattr(all_models, "load_spec", read_late)
    return name


def test_a_slow_folder_is_named_with_its_seconds(fleet, heavy, monkeypatch):
    monkeypatch.setattr(all_models, "SLOW_SECONDS", SECONDS)
    assert fleet.parse("cabs") == sorted([*ids("cabs"), *ids(heavy)])
    said = fleet.problems()
    assert re.match(rf"1 slow model:\nmodels/{heavy}: it takes \d+\.\d s to read", said)
    assert "models/cabs" not in said


def test_a_folder_that_takes_too_long_is_given_up_and_its_neighbours_live(
    fleet, heavy, monkeypatch
):
    monkeypatch.setattr(all_models, "LONGEST_SECONDS", SECONDS)
    assert fleet.parse("cabs") == ids("cabs")
    assert f"models/{heavy}: its folder takes longer than 2 s to read" in fleet.problems()
    monkeypatch.setattr(all_models, "LONGEST_SECONDS", 60.0)
    assert fleet.parse("cabs") == ids("cabs"), "it is not tried again before it has changed"
    assert heavy in fleet.problems()
    (fleet.models / heavy / "model.yaml").write_text(spec_text(heavy))
    assert fleet.parse("cabs") == sorted([*ids("cabs"), *ids(heavy)])
    assert fleet.problems() == ""
