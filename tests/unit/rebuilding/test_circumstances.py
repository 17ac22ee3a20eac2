"""What was not as it is now is named, and how to get back to it."""

from __future__ import annotations

import pytest

from pipelines.ledger import GateVerdict
from pipelines.rebuilding.circumstances import causes, environment_causes, folder_note, way_back
from pipelines.recipes import installed_packages, read_recipe
from pipelines.refs import canonical


@pytest.fixture
def recipe(made):
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    return read_recipe(made.ports.store, verdict.made_from.recipe)


def changed(recipe, **fields):
    return recipe.model_copy(update=fields)


def with_packages(made, recipe, packages):
    return changed(recipe, packages=made.ports.store.put(canonical(packages), ".json"))


def test_nothing_is_named_where_all_is_as_it_was(made, recipe):
    assert causes(made.context, recipe, from_folder=False) == []
    assert folder_note(made.context, recipe) == []
    assert environment_causes(made.context, recipe, "") == []
    assert way_back(changed(recipe, commit="abc"), []) == []


def test_other_packages_are_named_with_both_versions(made, recipe):
    now = installed_packages()
    then = {**now, "numpy": "1.0", "left-pad": "3.1"}
    del then["pyarrow"]
    found = causes(made.context, with_packages(made, recipe, then), from_folder=False)
    assert found == [
        "left-pad is not installed and was 3.1",
        f"numpy is {now['numpy']} and was 1.0",
        f"pyarrow is {now['pyarrow']} and was not installed",
    ]


def test_packages_beside_the_lock_whose_lock_is_gone_are_told_by_its_hash(made, recipe):
    found = environment_causes(made.context, changed(recipe, environment="a" * 64), "some==1.0")
    assert found == ["what `requires` names is resolved to 782d4f4b3721 and was to aaaaaaaaaaaa"]


def test_of_many_packages_the_first_ten_are_named_and_the_others_counted(made, recipe):
    then = {name: f"{version}.old" for name, version in installed_packages().items()}
    found = causes(made.context, with_packages(made, recipe, then), from_folder=False)
    assert len(found) == 11
    assert found[-1] == f"{len(then) - 10} more packages have other versions"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"python": "cpython-310-x86_64-linux-gnu"}, "and was cpython-310-x86_64-linux-gnu"),
        ({"perennial": "0" * 64, "commit": "abc1234"}, "Perennial's own code is not what it was"),
    ],
)
def test_another_python_and_another_perennial_are_named(made, recipe, fields, words):
    (found,) = causes(made.context, changed(recipe, **fields), from_folder=False)
    assert words in found


def test_a_search_that_the_clock_has_ended_is_named(made, recipe):
    learnt = recipe.learnt.model_copy(update={"search_ended_by": "minutes"})
    (found,) = causes(made.context, changed(recipe, learnt=learnt), from_folder=False)
    assert "ended by the clock" in found


def test_the_way_back_names_commit_and_image(recipe):
    other = changed(recipe, commit="abc1234", image="perennial/steps:7")
    (text,) = way_back(other, ["numpy is 2 and was 1"])
    assert "check out commit abc1234 and run `make venv`, or run the step in the image" in text
    assert text.endswith("perennial/steps:7.")
    assert way_back(recipe, ["numpy is 2 and was 1"]) == [], "there was no checkout, and no image"


def test_a_changed_folder_is_named_with_the_commit_that_has_the_old_files(made, recipe, tmp_path):
    other = made.copied(tmp_path / "home")
    path = other.world.home / "models/sales/features.py"
    path.write_text(path.read_text() + "# one more line\n")
    (note,) = folder_note(other.context, changed(recipe, commit="abc1234"))
    assert note.startswith("models/sales/features.py: not as they were.")
    assert "git has them at commit abc1234" in note
