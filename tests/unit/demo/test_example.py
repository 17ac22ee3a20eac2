import pytest
from rich.console import Console

from demo.example import bring_to_life
from pipelines.errors import RequestError
from pipelines.settings import load_settings


def settings(folder):
    return load_settings({"PERENNIAL_HOME": str(folder), "PERENNIAL_STATE": str(folder / "var")})


@pytest.mark.parametrize(
    ("name", "said"), [("", "No example was named"), ("tulips", "no example 'tulips'")]
)
def test_an_unknown_example_lists_those_there_are(tmp_path, name, said):
    with pytest.raises(RequestError, match=said) as caught:
        bring_to_life(settings(tmp_path), name, Console(quiet=True))
    assert "bike_demand" in caught.value.remedy
    assert "iris" in caught.value.remedy


def test_without_a_stack_nothing_is_copied(tmp_path):
    with pytest.raises(RequestError, match="not running") as caught:
        bring_to_life(settings(tmp_path), "iris", Console(quiet=True))
    assert "make up" in caught.value.remedy
    assert not (tmp_path / "models").exists()
