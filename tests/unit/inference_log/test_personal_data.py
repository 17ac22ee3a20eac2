"""The key of personal data: one for all, for its owner's eyes only.

Hashes that only it explains.
"""

from __future__ import annotations

import re
import threading

import pytest

from pipelines.errors import Corrupted
from pipelines.inference_log.personal_data import KEY_BYTES, PersonalKey


@pytest.fixture
def path(tmp_path):
    return tmp_path / "secrets" / "personal_key"


def test_equal_values_hash_alike_in_every_process_and_others_do_not(path):
    one, other = PersonalKey(path), PersonalKey(path)
    assert one.hash_of("Ada") == other.hash_of("Ada")
    assert re.fullmatch("[0-9a-f]{64}", one.hash_of("Ada"))
    assert len({one.hash_of(v) for v in ("Ada", "ada", "Ada ", "", True, 1.5, 2, "Ünï ✈")}) == 8


def test_a_whole_number_hashes_alike_whichever_way_it_came(path):
    key = PersonalKey(path)
    assert key.hash_of(3) == key.hash_of(3.0) == key.hash_of("3")
    assert key.hash_of(value=True) == key.hash_of("true")


def test_another_key_gives_other_hashes(path, tmp_path):
    assert PersonalKey(path).hash_of("Ada") != PersonalKey(tmp_path / "other").hash_of("Ada")


def test_the_key_is_made_when_it_is_needed_and_for_its_owner_only(path):
    key = PersonalKey(path)
    assert not path.exists()
    key.hash_of("x")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["personal_key"]
    assert len(path.read_bytes()) == KEY_BYTES


def test_many_at_once_make_one_key(path):
    keys = []
    threads = [
        threading.Thread(target=lambda: keys.append(PersonalKey(path).hash_of("x")))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 20
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_a_file_that_is_no_key_is_named_and_not_used(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Corrupted, match="personal_key"):
        PersonalKey(path).hash_of("x")


def test_a_key_that_others_may_read_is_not_used(path):
    PersonalKey(path).hash_of("x")
    path.chmod(0o640)
    with pytest.raises(Corrupted, match="chmod 600"):
        PersonalKey(path).hash_of("x")
