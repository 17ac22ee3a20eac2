import pytest

from demo.live import in_words
from demo.state import MARKER, begin_clean
from pipelines.errors import RequestError
from pipelines.settings import load_settings
from stack.layout import Layout


@pytest.fixture
def layout(tmp_path):
    return Layout(load_settings({"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STATE": "var"}))


def test_the_demo_begins_clean_and_again_clean_but_keeps_downloads(layout):
    begin_clean(layout, say=lambda _: None)
    (layout.state / "store").mkdir()
    (layout.state / "cache").mkdir()
    (layout.state / "cache" / "download").write_text("x")
    begin_clean(layout, say=lambda _: None)
    assert sorted(p.name for p in layout.state.iterdir() if p.name != "stack") == ["cache", MARKER]
    assert (layout.state / "cache" / "download").is_file()


def test_the_demo_never_touches_a_state_that_is_none_of_its_own(layout):
    (layout.state / "ledger").mkdir(parents=True)
    with pytest.raises(RequestError, match="holds a state that is no demo's"):
        begin_clean(layout, say=lambda _: None)
    assert (layout.state / "ledger").is_dir()


def test_results_are_told_in_words():
    trained = {"metrics": {"roc_auc": None}, "rows_holdout": 1_200, "settings_tried": 3}
    assert (
        in_words("train", trained, "roc_auc")
        == "roc_auc not finite on 1,200 held-out rows; 3 settings tried"
    )
    assert in_words("package", {"compiled": False, "parity": None}, "roc_auc").startswith("native")
    assert in_words("gate", None, "roc_auc") == ""
    assert (
        in_words("drift", {"verdict": "not_enough_data", "rows": 12, "labelled": 0}, "m")
        == "not enough data in 12 rows, 0 with labels"
    )
    assert (
        in_words("decide", {"start": False, "why": "cooldown", "run_id": ""}, "m")
        == "no retraining: cooldown"
    )
