"""A signature counts where a trusted key made it of this bundle, as this version of this model.

Nothing of the bundle is read for that.
"""

from __future__ import annotations

import base64

import pytest

from pipelines.errors import Untrusted
from pipelines.refs import Ref
from pipelines.settings import Settings
from pipelines.signing.keys import make_signing_key
from pipelines.signing.packager import key_for_packaging, usable_key
from pipelines.signing.signatures import (
    sign,
    signature_key,
    signature_keys,
    statement,
    verify,
    verify_where_required,
)
from pipelines.signing.trust import Trust
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from tests.contracts.processes import flip
from tests.signing import DAY, NOW, other_key, trusted_key

BUNDLE = Ref(uri="objects/ab/ab.json", sha256="ab" * 32)
"""No store has its bytes: whoever verifies does without."""
OTHER = Ref(uri="objects/cd/cd.json", sha256="cd" * 32)


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path, require_signature=True)


@pytest.fixture
def store():
    return MemoryStore()


def ask(settings, stores, model="flights", version="1", bundle=BUNDLE, now=NOW):
    return verify(stores, Trust(settings.trust), model, version, bundle, now)


def refusal(settings, stores, **asked):
    with pytest.raises(Untrusted) as told:
        ask(settings, stores, **asked)
    assert "perennial keys" in told.value.remedy
    return told.value.message


def test_what_is_signed_is_fixed():
    """Stored signatures are of these very bytes."""
    assert statement("flights", "1", BUNDLE) == (
        b'{"algorithm":"ed25519","bundle":"%s","format":1,"kind":"perennial.bundle",'
        b'"model":"flights","version":"1"}' % (b"ab" * 32)
    )


def test_a_trusted_key_signs_once_whoever_asks(settings, store):
    key = trusted_key(settings)
    sign(store, key, "flights", "1", BUNDLE)
    before = dict(store.entries)
    sign(store, key, "flights", "1", BUNDLE)
    assert store.entries == before
    assert signature_keys(store, BUNDLE) == [f"signatures/{BUNDLE.sha256}/{key.id}"]
    assert ask(settings, [store]) == key.id


@pytest.mark.parametrize(
    "asked", [{"model": "delays"}, {"version": "2"}, {"version": "11"}, {"version": ""}]
)
def test_the_bundle_of_another_model_or_version_is_refused(settings, store, asked):
    key = trusted_key(settings)
    sign(store, key, "flights", "1", BUNDLE)
    assert f"by {key.id[:16]} is not of this bundle, model and version" in refusal(
        settings, [store], **asked
    )


def test_a_signature_that_was_copied_beside_another_bundle_is_refused(settings, store):
    key = trusted_key(settings)
    sign(store, key, "flights", "1", BUNDLE)
    store.publish(signature_key(OTHER, key.id), store.read(signature_key(BUNDLE, key.id)))
    assert "is not of this bundle" in refusal(settings, [store], bundle=OTHER)


def test_without_a_signature_or_without_a_trusted_key_it_says_which(settings, store, tmp_path):
    assert refusal(settings, [store]).endswith("is not served: it has no signature.")
    key = other_key(tmp_path)
    sign(store, key, "flights", "1", BUNDLE)
    assert f"by the keys {key.id[:16]}, and no key is trusted here" in refusal(settings, [store])
    trusted_key(settings)
    assert f"by the keys {key.id[:16]}, and they are not trusted here" in refusal(settings, [store])


def test_a_key_that_expired_or_was_retired_counts_no_more(settings, store):
    key = trusted_key(settings, not_after=NOW + DAY)
    sign(store, key, "flights", "1", BUNDLE)
    assert ask(settings, [store], now=NOW + DAY / 2) == key.id
    assert "expired at 2026-01-11T12:00:00Z" in refusal(settings, [store], now=NOW + DAY)
    trust = Trust(settings.trust)
    trust.retire(trust.find(key.id), NOW)
    assert "was retired at 2026-01-10T12:00:00Z" in refusal(settings, [store])


def test_after_a_rotation_the_old_keys_bundles_are_served_until_it_is_retired(settings, store):
    old = trusted_key(settings)
    sign(store, old, "flights", "1", BUNDLE)
    new = trusted_key(settings)
    assert (ask(settings, [store]), usable_key(settings, NOW).id) == (old.id, new.id)
    trust = Trust(settings.trust)
    trust.retire(trust.find(old.id), NOW)
    assert f"{old.id[:16]} was retired" in refusal(settings, [store])
    sign(store, new, "flights", "1", BUNDLE)
    assert ask(settings, [store]) == new.id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line[:-1], "is cut off or is none"),
        (lambda line: line + b"\n", "is cut off or is none"),
        (lambda _: b"", "is cut off or is none"),
        (lambda _: b"\xff" * 100, "is cut off or is none"),
        (lambda _: b"x" * 10**6, "is cut off or is none"),
        (lambda line: line.replace(b" 1 ", b" 2 ", 1), "of the kind ed25519, format 2"),
        (lambda line: line.replace(b"ed25519", b"none"), "of the kind none, format 1"),
        (lambda line: line[:30] + base64.b64encode(bytes(64)), "is not of this bundle"),
    ],
)
def test_a_signature_that_is_none_is_refused_in_words(settings, store, change, words):
    key = trusted_key(settings)
    sign(store, key, "flights", "1", BUNDLE)
    place = signature_key(BUNDLE, key.id)
    line = store.read(place)
    store.remove("entries", place)
    store.publish(place, change(line))
    assert words in refusal(settings, [store])
    sign(store, key, "flights", "1", BUNDLE)
    assert ask(settings, [store]) == key.id, "signing again mends it"


def test_a_flipped_bit_of_a_signature_is_told_and_signing_again_mends_it(settings, tmp_path):
    store, key = LocalStore(tmp_path / "store"), trusted_key(settings)
    sign(store, key, "flights", "1", BUNDLE)
    flip(store.root / "keys" / signature_key(BUNDLE, key.id))
    assert "was changed or cut off" in refusal(settings, [store])
    sign(store, key, "flights", "1", BUNDLE)
    assert ask(settings, [store]) == key.id


def test_one_signature_that_counts_is_enough(settings, store, tmp_path):
    """Beside it others may be unknown, retired or damaged; it may be in either store."""
    sign(store, other_key(tmp_path), "flights", "1", BUNDLE)
    retired, good = trusted_key(settings), trusted_key(settings)
    trust = Trust(settings.trust)
    trust.retire(trust.find(retired.id), NOW)
    sign(store, retired, "flights", "1", BUNDLE)
    store.publish(signature_key(BUNDLE, good.id), b"none")
    second = MemoryStore()
    sign(second, good, "flights", "1", BUNDLE)
    assert ask(settings, [store, second]) == ask(settings, [second, store]) == good.id
    assert "is cut off" in refusal(settings, [store])


def test_a_damaged_file_of_one_trusted_key_hurts_no_other(settings, store):
    damaged, good = trusted_key(settings), trusted_key(settings)
    for key in (damaged, good):
        sign(store, key, "flights", "1", BUNDLE)
    (settings.trust / f"{damaged.id}.json").write_text("{")
    assert ask(settings, [store]) == good.id
    (settings.trust / f"{good.id}.json").unlink()
    assert f"{damaged.id}.json holds no public key" in refusal(settings, [store])


def test_trusted_keys_that_cannot_be_read_refuse(settings, store):
    settings.trust.write_text("no folder")
    assert "cannot be read: Not a directory" in refusal(settings, [store])


def test_where_no_signature_is_required_nothing_is_looked_at(settings):
    settings.trust.write_text("no folder")
    relaxed = settings.replace(require_signature=False)
    verify_where_required(relaxed, [], "flights", "1", BUNDLE, NOW)
    with pytest.raises(Untrusted):
        verify_where_required(settings, [], "flights", "1", BUNDLE, NOW)


def test_the_key_of_a_name_alone_makes_nothing_trusted(settings, store, tmp_path):
    """An entry is found by the key's id; what counts is that this key made it."""
    trusted, other = trusted_key(settings), other_key(tmp_path)
    forged = base64.b64encode(other.sign(statement("flights", "1", BUNDLE)))
    store.publish(signature_key(BUNDLE, trusted.id), b"perennial-signature 1 ed25519 " + forged)
    assert "is not of this bundle" in refusal(settings, [store])
    assert make_signing_key(settings.signing_key_file).id == trusted.id
    assert key_for_packaging(settings, NOW).id == trusted.id
