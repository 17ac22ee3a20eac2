"""Entries of the store: whatever is changed in one is seen, wherever it is changed.

Older entries are still read.
"""

from __future__ import annotations

import dataclasses
import threading

import pytest

from pipelines.bundle.manifest import Release, release_key
from pipelines.deployment import releases
from pipelines.errors import Corrupted
from pipelines.ledger import MemoryLedger, ReleaseIntent
from pipelines.ports import Ports
from pipelines.refs import Ref, canonical
from pipelines.store.local import LocalStore
from pipelines.store.sealing import read_entry, seal, unseal
from tests.unit.steps.learning import learning

KEY = release_key("visits", 7)
BUNDLE = Ref(uri="objects/ab/abc.json", sha256="ab" * 32)
RELEASE = Release(
    model="visits", number=7, version="3", bundle=BUNDLE, reason="promoted by scheduled__2026-01-01"
)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def path(store):
    assert store.publish(KEY, canonical(RELEASE))
    return store.root / "keys" / KEY


def is_refused(store, path, raw):
    path.write_bytes(raw)
    try:
        store.read(KEY)
    except Corrupted as error:
        return KEY in error.message
    return False


def test_every_flipped_bit_of_a_release_entry_is_refused(store, path):
    whole = path.read_bytes()
    flips = [(at, bit) for at in range(len(whole)) for bit in range(8)]
    accepted = [
        (at, bit)
        for at, bit in flips
        if not is_refused(store, path, whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
    ]
    assert accepted == []
    assert len(flips) > 2_000


def test_an_entry_that_was_cut_or_grew_is_refused_at_every_length(store, path):
    whole = path.read_bytes()
    assert [size for size in range(len(whole)) if not is_refused(store, path, whole[:size])] == []
    assert is_refused(store, path, whole + b"\n")
    assert is_refused(store, path, whole * 2)


def test_two_entries_cannot_be_mixed(store, path):
    line, _ = path.read_bytes().split(b"\n", 1)
    assert is_refused(
        store, path, line + b"\n" + canonical(RELEASE.model_copy(update={"version": "4"}))
    )


def test_an_entry_of_an_older_version_is_still_read(store, path):
    path.write_bytes(canonical(RELEASE))
    assert read_entry(store, KEY, Release) == RELEASE
    assert not store.publish(KEY, canonical(RELEASE))
    assert path.read_bytes() == canonical(RELEASE)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[" * 100_000, b'{"b": 1}', b'{"b":1,"a":2}', b"\xff\xfe", b"NaN", b"perennial"],
)
def test_what_no_version_ever_wrote_is_refused(raw):
    with pytest.raises(Corrupted, match="pages/x"):
        unseal("pages/x", raw)


def test_an_entry_with_other_fields_is_named(store, path):
    path.write_bytes(seal(b'{"format":1}'))
    with pytest.raises(Corrupted, match=rf"{KEY} is no Release"):
        read_entry(store, KEY, Release)


def test_a_damaged_entry_is_replaced_by_one_writer_only(store, path):
    path.write_bytes(path.read_bytes()[:-1])
    answers = []
    writers = [
        threading.Thread(target=lambda n=n: answers.append(store.publish(KEY, b"%d" % n)))
        for n in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(answers) == [False] * 7 + [True]
    assert store.read(KEY).isdigit()


def test_a_damaged_release_is_written_anew_from_the_ledger(store, path, tmp_path):
    ledger = MemoryLedger()
    world = learning(tmp_path)
    ports = world.context.ports
    context = dataclasses.replace(
        world.context, ports=Ports(store, ports.versions, ports.registry, ledger)
    )
    path.write_bytes(path.read_bytes().replace(b"promoted", b"demoted!"))
    with pytest.raises(Corrupted, match=KEY):
        releases.highest(context)  # the ledger does not know it
    intent = ReleaseIntent(number=7, version="3", bundle=BUNDLE, reason=RELEASE.reason)
    ledger.append("visits", "run", intent)
    assert releases.highest(context) == RELEASE
    assert store.read(KEY) == canonical(RELEASE)


def test_a_ledger_without_releases_releases_nothing_into_a_store_that_has_some(
    store, path, tmp_path
):
    world = learning(tmp_path)
    ports = world.context.ports
    context = dataclasses.replace(
        world.context, ports=Ports(store, ports.versions, ports.registry, MemoryLedger())
    )
    wanted = releases.Wanted(kind="release", key="run", version="1", bundle=BUNDLE, reason="")
    with pytest.raises(Corrupted, match="has release 7 of visits, but the ledger knows of none"):
        releases.publish_release(context, wanted)
    assert path.is_file()
