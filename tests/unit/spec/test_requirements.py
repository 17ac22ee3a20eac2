"""What `requires:` takes: names with versions, and nothing that an installer would obey."""

import pytest

from pipelines.errors import SpecError
from pipelines.spec.load import parse_spec
from tests.worlds import SPEC as GOOD


def load(entries):
    lines = "".join(f"  - {entry!r}\n" for entry in entries)
    return parse_spec(f"{GOOD}requires:\n{lines}".encode(), "models/sales/model.yaml")


def test_names_with_versions_are_taken_in_one_form():
    spec = load(["catboost == 1.2.8", "category-encoders~=2.6", "shap[plots]<1,>=0.4"])
    assert spec.requires == ["catboost==1.2.8", "category-encoders~=2.6", "shap[plots]<1,>=0.4"]


def test_without_the_key_nothing_is_required():
    assert parse_spec(GOOD.encode(), "model.yaml").requires == []


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("catboost", "says no version, found 'catboost'; write catboost==1.2.3"),
        ("catboost>=1", "says no version"),
        ("catboost!=1.0", "says no version"),
        ("catboost===1.0", "says no version"),
        ("-e .", "names no package"),
        ("--index-url http://evil.example/simple", "names no package"),
        ("catboost==1.2.8 --hash=sha256:00", "names no package"),
        ("catboost==1.2.8\n--index-url=http://evil.example", "names no package"),
        ("-r other.txt", "names no package"),
        ("./wheels/catboost.whl", "names no package"),
        ("../evil", "names no package"),
        ("git+https://evil.example/x", "names no package"),
        ("catboost @ https://evil.example/catboost.whl", "names an address"),
        ("catboost @ file:///etc/passwd", "names an address"),
        ("catboost==1.2.8; python_version < '3.12'", "has a condition"),
        ("", "names no package"),
        ("x" * 300 + "==1", "200 characters"),
    ],
)
def test_what_names_no_package_with_a_version_is_refused_at_its_line(entry, said):
    with pytest.raises(SpecError) as raised:
        parse_spec(
            f"{GOOD}requires:\n  - toolbox==1.0\n  - {json_text(entry)}\n".encode(), "model.yaml"
        )
    assert said in raised.value.message
    line = GOOD.count("\n") + 3
    assert raised.value.message.startswith(f"model.yaml:{line}: requires")


def json_text(text):
    return '"' + text.replace("\n", "\\n") + '"'


def test_a_package_that_is_named_twice_is_refused():
    with pytest.raises(SpecError, match="cat-boost is named twice"):
        load(["cat_boost==1.2.8", "Cat.Boost<2"])
