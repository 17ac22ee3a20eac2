"""The folder of the trusted keys: one file for each, what became of it, and what is no key."""

from __future__ import annotations

import stat

import pytest

from pipelines.errors import BadData, RequestError
from pipelines.signing.trust import Trust
from tests.signing import DAY, NOW, other_key


@pytest.fixture
def trust(tmp_path):
    return Trust(tmp_path / "trust")


@pytest.fixture
def key(tmp_path):
    return other_key(tmp_path, "key")


def test_a_key_is_trusted_once_and_its_public_half_alone_is_kept(trust, key, tmp_path):
    assert (trust.ids(), trust.find(key.id)) == ([], None)
    added = trust.add(key, NOW)
    assert (added.id, added.public_bytes, added.state(NOW)) == (key.id, key.public, "trusted")
    assert trust.add(key, NOW + DAY, NOW + DAY) == added, "it stays as it is"
    assert trust.list_keys() == [added]
    (file,) = trust.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (tmp_path / "key").read_text().strip() not in file.read_text()


def test_a_key_expires_at_its_moment_and_counts_until_then(trust, key):
    added = trust.add(key, NOW, NOW + DAY)
    assert added.why_not(NOW) == added.why_not(NOW + 0.999 * DAY) == ""
    assert added.why_not(NOW + DAY) == f"the key {key.id[:16]} expired at 2026-01-11T12:00:00Z"
    assert (added.expires_within(DAY / 2, NOW), added.expires_within(DAY, NOW)) == (False, True)


def test_a_retired_key_counts_no_more_and_is_not_trusted_again(trust, key):
    retired = trust.retire(trust.add(key, NOW), NOW + DAY)
    assert retired.why_not(NOW + 2 * DAY) == (
        f"the key {key.id[:16]} was retired at 2026-01-11T12:00:00Z"
    )
    assert trust.retire(retired, NOW + 2 * DAY) == retired
    assert trust.add(key, NOW + 2 * DAY) == retired == trust.find(key.id)


def test_a_key_is_chosen_by_the_first_digits_of_its_id(trust, key, tmp_path):
    for n in range(3):
        trust.add(other_key(tmp_path, f"other{n}"), NOW)
    trust.add(key, NOW)
    assert trust.choose(key.id[:8]).id == trust.choose(key.id).id == key.id
    for digits in (key.id[:7], "", "no digits", "0" * 64, key.id + "0", f"../trust/{key.id}"):
        with pytest.raises(RequestError, match="of the 4 keys"):
            trust.choose(digits)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 2}',
        b'{"public": "AAAA", "made_at": "2026-01-01T00:00:00Z"}',
        b"\xff\xfe",
    ],
)
def test_a_file_that_holds_no_key_is_named(trust, key, text):
    trust.add(key, NOW)
    path = trust.folder / f"{key.id}.json"
    path.write_bytes(text)
    for ask in (lambda: trust.find(key.id), trust.list_keys, lambda: trust.choose(key.id)):
        with pytest.raises(BadData, match=f"{key.id}.json holds no public key"):
            ask()


def test_a_key_under_the_name_of_another_is_refused(trust, key, tmp_path):
    other = other_key(tmp_path)
    trust.add(key, NOW)
    trust.add(other, NOW)
    (trust.folder / f"{other.id}.json").replace(trust.folder / f"{key.id}.json")
    with pytest.raises(BadData, match="is not the one of its name"):
        trust.find(key.id)


def test_other_files_of_the_folder_are_no_keys(trust, key):
    trust.add(key, NOW)
    for name in (".x.tmp", "notes.json", f"{key.id}.json.bak", f"{key.id[:-1]}g.json"):
        (trust.folder / name).write_text("{}")
    assert trust.ids() == [key.id]


def test_a_folder_that_cannot_be_read_is_named(trust):
    trust.folder.write_text("no folder")
    with pytest.raises(BadData, match="cannot be read: Not a directory"):
        trust.ids()
