"""A model's own code is what its folder's `model.py` imports, under a name that holds its hash."""

from __future__ import annotations

import sys

import pytest

from pipelines.errors import SpecError
from pipelines.fence.own_code import OwnCode, load_code, read_code

MODEL = "from parts import Clip\nfrom .words import LIST\n\n\ndef make():\n    return Clip(LIST)\n"
PARTS = "import words\n\n\nclass Clip:\n    def __init__(self, x):\n        self.x = x\n"


@pytest.fixture
def folder(tmp_path):
    here = tmp_path / "sales"
    here.mkdir()
    files = {
        "model.py": MODEL,
        "parts.py": PARTS,
        "words.py": "LIST = ['a']\n",
        "source.py": "PASSWORD = 'secret'\n",
        "features.py": "",
    }
    for name, text in files.items():
        (here / name).write_text(text)
    return here


def test_it_holds_what_model_py_imports_and_nothing_else(folder):
    assert list(read_code(folder).files) == ["model.py", "parts.py", "words.py"]


def test_its_name_changes_with_its_content_alone(folder):
    before = read_code(folder).package
    (folder / "source.py").write_text("PASSWORD = 'another'\n")
    assert read_code(folder).package == before
    (folder / "words.py").write_text("LIST = ['b']\n")
    assert read_code(folder).package != before


def test_both_ways_to_import_a_file_give_the_same_class(folder):
    code = read_code(folder)
    made = load_code(code).make()
    assert type(made).__module__ == f"{code.package}.parts"
    assert sys.modules["parts"] is sys.modules[f"{code.package}.parts"]
    assert code.owns(f"{code.package}.parts.Clip")
    assert not code.owns("os.system")


def test_two_versions_are_two_packages(folder):
    first = load_code(read_code(folder))
    (folder / "model.py").write_text("VALUE = 2\n")
    second = load_code(read_code(folder))
    assert not hasattr(first, "VALUE")
    assert second.VALUE == 2


def test_a_file_of_the_standard_librarys_name_hides_nothing():
    code = OwnCode(model="m", files={"model.py": "import json\n", "json.py": "BROKEN = 1\n"})
    assert load_code(code).json.dumps([1]) == "[1]"


def test_an_error_names_its_last_line_in_this_code():
    source = "def make():\n    return deep()\n\n\ndef deep():\n    return int('x')\n"
    code = OwnCode(model="sales", files={"model.py": source})
    with pytest.raises(ValueError, match="invalid literal") as caught:
        load_code(code).make()
    assert code.line_of(caught.value) == " See line 6 of models/sales/model.py."


def test_a_file_that_does_not_parse_is_named_with_its_line():
    code = OwnCode(model="sales", files={"model.py": "x = 1\ndef make(:\n"})
    with pytest.raises(SyntaxError) as caught:
        load_code(code)
    assert code.line_of(caught.value) == " See line 2 of models/sales/model.py."


def test_a_folder_without_model_py_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(SpecError, match="There is no models/") as caught:
        read_code(tmp_path)
    assert "returns the estimator" in caught.value.remedy
