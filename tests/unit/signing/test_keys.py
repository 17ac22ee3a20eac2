"""The signing key: in a file of its owner's alone or in the environment, and shown nowhere."""

from __future__ import annotations

import base64
import stat

import pytest

from pipelines.errors import KeyUnusable
from pipelines.settings import Settings, load_settings
from pipelines.signing.keys import is_signed, make_signing_key, read_signing_key

SEED = bytes(range(32))
TEXT = base64.b64encode(SEED).decode()
PUBLIC = bytes.fromhex("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")
"""RFC 8032's key of this seed, as other programs make it."""


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path)


def test_a_key_is_made_once_for_its_owner_alone(settings):
    path = settings.signing_key_file
    assert read_signing_key(settings) is None
    key = make_signing_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert make_signing_key(path).id == key.id == read_signing_key(settings).id
    assert make_signing_key(path, replace=True).id != key.id
    assert [p.name for p in path.parent.iterdir()] == ["signing_key"], "no draft is left"


def test_it_signs_as_other_programs_do(settings):
    key = read_signing_key(settings.replace(signing_key=TEXT))
    assert key.public == PUBLIC
    signature = key.sign(b"a text")
    assert len(signature) == 64
    assert is_signed(PUBLIC, signature, b"a text")
    assert not is_signed(PUBLIC, signature, b"a Text")
    assert not is_signed(PUBLIC, signature[:-1], b"a text")
    assert not is_signed(b"no key", signature, b"a text")


def test_the_environment_goes_before_the_file_and_takes_letters_that_are_safe_in_a_url(settings):
    make_signing_key(settings.signing_key_file)
    seed = b"\xff" * 32
    for text in (base64.b64encode(seed), base64.urlsafe_b64encode(seed)):
        assert read_signing_key(settings.replace(signing_key=text.decode())).sign(b"x") == (
            read_signing_key(settings.replace(signing_key="/" * 42 + "8=")).sign(b"x")
        )


@pytest.mark.parametrize(
    "text",
    ["no key", "secret!" * 5, TEXT[:-4], base64.b64encode(SEED + b"x").decode(), "\u00e9"],
)
def test_what_is_no_key_is_refused_and_not_shown(settings, text):
    settings.signing_key_file.parent.mkdir()
    settings.signing_key_file.touch(0o600)
    settings.signing_key_file.write_text(text)
    for known, where in (
        (settings, "signing_key"),
        (settings.replace(signing_key=text), "PERENNIAL_SIGNING_KEY"),
    ):
        with pytest.raises(KeyUnusable, match="32 bytes in base64") as told:
            read_signing_key(known)
        assert where in str(told.value)
        assert text not in str(told.value)


def test_a_key_that_others_may_read_is_refused_with_the_remedy(settings):
    make_signing_key(settings.signing_key_file)
    settings.signing_key_file.chmod(0o640)
    with pytest.raises(KeyUnusable, match="read by others than its owner") as told:
        read_signing_key(settings)
    assert "chmod 600" in told.value.remedy


def test_a_key_that_cannot_be_read_is_named(settings):
    settings.signing_key_file.mkdir(parents=True)
    with pytest.raises(KeyUnusable, match="cannot be read: Is a directory"):
        read_signing_key(settings)


def test_nothing_that_is_printed_holds_the_key(settings):
    known = load_settings({"PERENNIAL_STATE": str(settings.state), "PERENNIAL_SIGNING_KEY": TEXT})
    key = read_signing_key(known)
    assert key.id[:16] in repr(key)
    for text in (repr(key), str(key), repr(known), str(known)):
        assert TEXT not in text
        assert repr(SEED) not in text
