"""Specs that are read again where their folder has changed, and else not."""

from __future__ import annotations

import os

import pytest

from pipelines.spec import load_all
from pipelines.spec.cached import SpecCache
from pipelines.spec.folders import fingerprint
from tests.dags.specs import spec_text, write_models


@pytest.fixture
def models(tmp_path):
    return write_models(tmp_path, "cabs", "demo") / "models"


def test_a_folder_is_read_once_until_it_changes(models):
    cache = SpecCache()
    first, _ = cache.load_all(models)
    assert first == load_all(models)[0]
    assert cache.load_all(models)[0]["cabs"] is first["cabs"]
    (models / "cabs" / "model.yaml").write_text(spec_text("cabs").replace("late", "early"))
    again, _ = cache.load_all(models)
    assert again["cabs"].description == "Is cabs early?"
    assert again["demo"] is first["demo"]


def test_what_is_broken_mended_new_or_gone_is_seen(models):
    cache = SpecCache()
    cache.load_all(models)
    (models / "cabs" / "model.yaml").write_text("name: cabs\n")
    write_models(models.parent, "trams")
    (models / "demo" / "model.yaml").unlink()
    good, errors = cache.load_all(models)
    assert (list(good), list(errors)) == (["trams"], ["cabs"])
    (models / "cabs" / "model.yaml").write_text(spec_text("cabs"))
    assert cache.load_all(models)[1] == {}


def test_any_file_of_the_folder_counts_also_of_the_same_size_and_length(models):
    folder = models / "cabs"
    marks = [fingerprint(folder)]
    (folder / "features.py").write_text("a = 1\n")
    marks.append(fingerprint(folder))
    os.utime(folder / "features.py", (1, 1))
    marks.append(fingerprint(folder))
    (folder / "gone").symlink_to("nowhere")
    marks.append(fingerprint(folder))
    assert len(set(marks)) == 4
    assert fingerprint(folder) == marks[-1]
    assert fingerprint(models / "nothing") == "FileNotFoundError"
