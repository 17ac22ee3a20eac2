"""The first key, a new one, one that retires: what the ledger has crowned is always signed."""

from __future__ import annotations

import base64
import os
import stat
from datetime import UTC, datetime

import pytest

from pipelines.errors import Corrupted, KeyUnusable, RequestError
from pipelines.ops.backup.parts import contents, parts
from pipelines.ops.doctor.signing import check_signature, check_signing_keys
from pipelines.ops.findings import run_check
from pipelines.ops.prune.store_leftovers import old_objects, old_signatures
from pipelines.ops.signing_keys import begin, champions_without, crowned_bundles, new_key
from pipelines.ops.signing_keys import sign_crowned as sign_all
from pipelines.ports import ConfiguredPorts
from pipelines.settings import Settings
from pipelines.signing.keys import read_signing_key
from pipelines.signing.signatures import sign, signature_keys, verify
from pipelines.signing.trust import Trust
from tests.contracts.sql_files import sql
from tests.decisions import crown
from tests.signing import DAY, other_key, trusted_key

NOW = datetime.now(UTC).replace(microsecond=0)
MODELS = ("flights", "sales")


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path, require_signature=True)


@pytest.fixture
def ports(settings):
    """Two versions of one model and one of another were crowned; the first one twice."""
    ports = ConfiguredPorts(settings)
    ledger = ports.ledger
    for number, (model, version) in enumerate(
        [("flights", "1"), ("flights", "2"), ("sales", "1"), ("flights", "1")], start=1
    ):
        bundle = ports.store.put(f'{{"a":"{model} {version}"}}'.encode(), ".json")
        champion = ledger.champion(model)
        ledger.crown(
            model,
            expected=champion.version if champion else None,
            champion=crown(version, bundle, number),
            key=f"run{number}",
        )
    return ports


def signers(settings, ports):
    """By model and version, who signed it."""
    found = {}
    for model, version, bundle in crowned_bundles(settings):
        ids = [key.rsplit("/", 1)[-1] for key in signature_keys(ports.store, bundle)]
        found[f"{model} {version}"] = set(ids)
    return found


def test_the_first_key_signs_what_was_crowned_before_there_were_signatures(settings, ports):
    assert list(champions_without(settings, ports.store, NOW)) == list(MODELS)
    key = begin(settings, ports.store, NOW)
    assert read_signing_key(settings).id == key.id
    assert signers(settings, ports) == {
        name: {key.id} for name in ("flights 1", "flights 2", "sales 1")
    }
    assert champions_without(settings, ports.store, NOW) == {}
    assert begin(settings, ports.store, NOW) is None
    assert [k.id for k in Trust(settings.trust).list_keys()] == [key.id]


def test_before_anything_was_decided_a_key_is_made_and_no_ledger(settings):
    store = ConfiguredPorts(settings).store
    assert begin(settings, store, NOW) is not None
    assert not (settings.state / "ledger").exists()
    assert champions_without(settings, store, NOW) == {}


def test_a_retired_key_is_not_trusted_again_by_a_start(settings, ports):
    trust = Trust(settings.trust)
    retired = trust.retire(begin(settings, ports.store, NOW), NOW)
    assert begin(settings, ports.store, NOW) is None
    assert trust.list_keys() == [retired]


def test_a_new_key_signs_what_serves_and_the_old_one_may_retire(settings, ports):
    trust = Trust(settings.trust)
    old = begin(settings, ports.store, NOW)
    new = new_key(settings, ports.store, NOW, NOW + DAY)
    assert read_signing_key(settings).id == new.id != old.id
    assert (new.not_after, [k.state(NOW) for k in trust.list_keys()]) == (
        NOW + DAY,
        ["trusted", "trusted"],
    )
    assert set(map(frozenset, signers(settings, ports).values())) == {frozenset({old.id, new.id})}
    trust.retire(old, NOW)
    assert champions_without(settings, ports.store, NOW) == {}
    assert list(champions_without(settings, ports.store, NOW + DAY)) == list(MODELS)


def test_a_change_of_keys_that_was_cut_off_is_finished_by_the_next_one(
    settings, ports, monkeypatch
):
    old = begin(settings, ports.store, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(Trust, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            new_key(settings, ports.store, NOW)
    assert read_signing_key(settings).id == old.id, "the old one signs on"
    assert champions_without(settings, ports.store, NOW) == {}
    (half_made,) = signers(settings, ports)["sales 1"] - {old.id}
    assert new_key(settings, ports.store, NOW).id == half_made == read_signing_key(settings).id


def test_another_key_in_the_environment_signs_what_serves_at_the_next_start(settings, ports):
    """As in containers: `make signing-key`, and `docker compose up`."""
    keys = []
    for seed in (b"1" * 32, b"2" * 32):
        known = settings.replace(signing_key=base64.urlsafe_b64encode(seed).decode())
        keys.append(begin(known, ports.store, NOW))
    assert not settings.signing_key_file.exists()
    ids = {key.id for key in keys}
    assert list(signers(settings, ports).values()) == [ids] * 3
    Trust(settings.trust).retire(keys[0], NOW)
    assert champions_without(settings, ports.store, NOW) == {}


def test_a_key_of_the_environment_is_changed_elsewhere(settings, ports):
    with pytest.raises(RequestError, match="PERENNIAL_SIGNING_KEY") as told:
        new_key(settings.replace(signing_key="x"), ports.store, NOW)
    assert "make signing-key" in told.value.remedy


def test_signing_again_needs_a_key_that_counts(settings, ports):
    with pytest.raises(KeyUnusable, match="There is no signing key"):
        sign_all(settings, ports.store, NOW)
    begin(settings, ports.store, NOW)
    later = ports.store.put(b'{"a":"later"}', ".json")
    ports.ledger.crown("sales", expected="1", champion=crown("2", later, 9), key="run9")
    assert list(champions_without(settings, ports.store, NOW)) == ["sales"]
    assert len(sign_all(settings, ports.store, NOW)) == 4
    assert champions_without(settings, ports.store, NOW) == {}


def test_a_ledger_that_was_touched_is_not_signed(settings, ports):
    sql(settings.state, "UPDATE entries SET body = replace(body, '\"1\"', '\"7\"') WHERE seq = 1")
    with pytest.raises(Corrupted):
        begin(settings, ports.store, NOW)
    assert Trust(settings.trust).ids() == []


def found(check, *arguments):
    return [
        (finding.state, finding.said, finding.remedy)
        for finding in run_check("signing", lambda: check(*arguments))
    ]


def test_doctor_says_that_the_packager_can_sign_or_what_it_lacks(settings, tmp_path):
    assert "No key is trusted" in found(check_signing_keys, settings)[0][1]
    ((state, said, _),) = found(check_signing_keys, settings.replace(require_signature=False))
    assert (state, "no signature is required" in said) == ("ok", True)
    key = trusted_key(settings, NOW)
    ((state, said, _),) = found(check_signing_keys, settings)
    assert (state, said) == ("ok", f"{key.id[:16]} signs; trusted: 1 key")
    settings.signing_key_file.unlink()
    ((state, said, remedy),) = found(check_signing_keys, settings)
    assert (state, "There is no signing key" in said, bool(remedy)) == ("problem", True, True)
    Trust(settings.trust).add(other_key(tmp_path), NOW, NOW + 3 * DAY)
    assert [state for state, *_ in found(check_signing_keys, settings)] == ["warning", "problem"]


def test_doctor_says_that_a_champion_would_not_be_loaded(settings, ports):
    champion = ports.ledger.champion("sales")
    arguments = (check_signature, settings, ports, "sales", champion)
    ((state, said, remedy),) = found(*arguments)
    assert (state, "sales 1 is not served: it has no signature" in said) == ("problem", True)
    assert "perennial keys sign" in remedy
    key = begin(settings, ports.store, NOW)
    assert found(*arguments)[0][:2] == ("ok", f"by the key {key.id[:16]}")
    Trust(settings.trust).retire(key, NOW)
    assert "was retired" in found(*arguments)[0][1]
    assert found(*arguments[:1], settings.replace(require_signature=False), *arguments[2:]) == []


def test_a_backup_holds_the_trusted_keys_and_never_the_one_that_signs(settings, ports):
    key = begin(settings, ports.store, NOW)
    (settings.state / "secrets" / "signing_key.next").write_text("half made")
    (settings.state / "secrets" / "personal_key").write_text("a key")
    names = {
        f"{part.name}/{path.relative_to(part.folder)}"
        for part in parts(settings)
        if part.name in {"secrets", "trust"}
        for path in contents(part)
    }
    assert names == {"secrets/personal_key", f"trust/{key.id}.json"}
    assert stat.S_IMODE(settings.trust.stat().st_mode) == 0o700


def test_prune_takes_signatures_with_their_bundles_and_no_others(settings, ports):
    key = begin(settings, ports.store, NOW)
    alone = ports.store.put(b'{"a":"never crowned"}', ".json")
    sign(ports.store, read_signing_key(settings), "sales", "9", alone)
    for path in settings.state.rglob("*"):
        os.utime(path, (0, 0))
    limit = (NOW - DAY).timestamp()
    objects = list(old_objects(settings, ports, [], limit))
    assert [leftover.name for leftover in objects] == [alone.uri]
    (leftover,) = old_signatures(ports, objects, limit)
    assert leftover.name == f"signatures/{alone.sha256}/{key.id}"
    assert list(old_signatures(ports, [], limit)) == []
    champion = ports.ledger.champion("sales")
    trust = Trust(settings.trust)
    assert verify([ports.store], trust, "sales", "1", champion.bundle, NOW) == key.id
