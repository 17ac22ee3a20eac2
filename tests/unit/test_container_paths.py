"""Where a container finds what lies below the state folder."""

from __future__ import annotations

import pytest

from pipelines.container_paths import store_in_container
from pipelines.errors import GiveUp
from pipelines.settings import load_settings


def settings(tmp_path, **environ):
    return load_settings(
        {"PERENNIAL_HOME": str(tmp_path), "PERENNIAL_STATE": str(tmp_path / "var"), **environ}
    )


def test_the_store_that_nobody_has_set_needs_no_variable(tmp_path):
    assert store_in_container(settings(tmp_path)) == {}


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_folder_below_the_state_is_named_as_the_container_sees_it(tmp_path, scheme):
    store = f"{scheme}{tmp_path / 'var' / 'other'}"
    place = store_in_container(settings(tmp_path, PERENNIAL_STORE=store))
    assert place == {"PERENNIAL_STORE": "/state/other"}


def test_a_folder_elsewhere_is_refused_with_the_setting(tmp_path):
    with pytest.raises(GiveUp, match="PERENNIAL_STORE=/elsewhere is not below the state folder"):
        store_in_container(settings(tmp_path, PERENNIAL_STORE="/elsewhere"))
