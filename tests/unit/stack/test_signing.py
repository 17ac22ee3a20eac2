"""`make up` requires signatures, makes the key that signs, and has it trusted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import KeyUnusable, PerennialError
from pipelines.private_files import make_folder
from pipelines.settings import load_settings
from pipelines.signing.keys import read_signing_key
from pipelines.signing.trust import Trust
from stack.environment import environment
from stack.layout import Layout
from stack.signing import make_signing_key

if TYPE_CHECKING:
    from pathlib import Path


def layout(folder: Path, **settings: str) -> Layout:
    return Layout(load_settings({"PERENNIAL_STATE": str(folder), **settings}))


def test_signatures_are_required_unless_somebody_says_otherwise(tmp_path):
    for given, found in (({}, "True"), ({"PERENNIAL_REQUIRE_SIGNATURE": "false"}, "False")):
        environ = environment(layout(tmp_path, **given), {})
        assert environ["PERENNIAL_REQUIRE_SIGNATURE"] == found


@pytest.mark.slow
def test_the_signing_key_is_made_once_and_trusted(tmp_path):
    here, said = layout(tmp_path / "var"), []
    for _ in range(2):
        make_signing_key(here, environment(here, dict(os.environ)), said.append)
    key = read_signing_key(here.settings)
    assert Trust(here.settings.trust).ids() == [key.id]
    assert said == [f"{key.id[:16]} signs bundles from now on."]


def test_where_nobody_wants_signatures_no_key_is_made(tmp_path):
    here = layout(tmp_path / "var", PERENNIAL_REQUIRE_SIGNATURE="false")
    make_signing_key(here, environment(here, {}), pytest.fail)
    assert not here.settings.state.exists()


@pytest.mark.slow
def test_a_signing_key_that_cannot_be_made_ends_the_start_with_the_reason(tmp_path):
    here = layout(tmp_path / "var")
    make_folder(here.settings.state / "ledger")
    (here.settings.state / "ledger" / "ledger.db").write_bytes(b"no ledger")
    with pytest.raises(PerennialError, match="could not be made:\nERROR"):
        make_signing_key(here, environment(here, dict(os.environ)), lambda _: None)
    here.settings.signing_key_file.write_text("no key")
    with pytest.raises(KeyUnusable, match="holds no signing key"):
        make_signing_key(here, environment(here, dict(os.environ)), lambda _: None)
