"""Where a signature is required, nothing of a bundle is read before one that counts is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.signing.signatures import sign, signature_key
from pipelines.signing.trust import Trust
from pipelines.store.local import LocalStore
from tests.contracts.processes import flip
from tests.serving.bundles import put_release
from tests.serving.conftest import ROW
from tests.serving.releases import PREDICT, served
from tests.signing import DAY, other_key, trusted_key

NOW = datetime.now(UTC)
PAST = NOW - 10 * DAY


@pytest.fixture
def required(settings):
    return settings.replace(require_signature=True)


@pytest.fixture
def key(settings):
    return trusted_key(settings, PAST)


def refused(client, name="flights"):
    body = client.get(f"/models/{name}").json()
    return (body["refused"]["release"], body["refused"]["reason"]) if body["refused"] else None


def refusals(client):
    return next(
        float(line.rsplit(" ", 1)[1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith('perennial_release_refusals_total{model="flights"}')
    )


def test_a_signed_bundle_serves_and_one_without_a_signature_does_not(
    store, bundles, serve, required, key
):
    sign(store, key, "flights", "1", bundles["1"])
    put_release(store, 1, bundles["1"])
    client = serve(own_settings=required)
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    assert served(client) == (1, "1")
    number, reason = refused(client)
    assert (number, "it has no signature" in reason) == (2, True)
    assert "perennial keys sign" in reason, "the remedy is told"
    assert client.post(PREDICT, json={"row": ROW}).json()["release"] == 1
    assert client.get("/ready").status_code == 200


def test_what_is_signed_later_is_taken_then_and_each_refusal_is_counted_once(
    store, bundles, serve, required, key
):
    for number in (1, 2):
        put_release(store, number, bundles[str(number)], version=str(number))
    client = serve(own_settings=required)
    for _ in range(3):
        client.look()
    assert client.get("/models/flights").status_code == 503
    assert refusals(client) == 2
    sign(store, key, "flights", "2", bundles["2"])
    client.look()
    assert served(client) == (2, "2")
    assert refused(client) is None


def test_nothing_of_the_bundle_is_read_before_its_signature_counts(
    store, bundles, serve, required, key, tmp_path
):
    """The bundle's manifest is damaged: the one who reads it would say so."""
    flip(store.root / bundles["1"].uri)
    sign(store, other_key(tmp_path), "flights", "1", bundles["1"])
    put_release(store, 1, bundles["1"])
    client = serve(own_settings=required)
    assert "are not trusted here" in refused(client)[1]
    assert bundles["1"].uri not in refused(client)[1]
    sign(store, key, "flights", "1", bundles["1"])
    client.look()
    assert bundles["1"].uri in refused(client)[1]


@pytest.mark.parametrize("part", ["manifest", "onnx", "native", "golden"])
def test_a_flipped_byte_of_a_signed_bundle_is_refused(store, bundles, serve, required, key, part):
    sign(store, key, "flights", "1", bundles["1"])
    manifest = BundleManifest.model_validate_json(store.get(bundles["1"]))
    uri = bundles["1"].uri if part == "manifest" else getattr(manifest, part).uri
    flip(store.root / uri)
    put_release(store, 1, bundles["1"])
    client = serve(own_settings=required)
    assert client.post(PREDICT, json={"row": ROW}).status_code == 503
    assert uri in refused(client)[1]


def test_another_bundle_in_the_place_of_a_signed_one_is_refused(
    store, bundles, serve, required, key
):
    """One that says what the signed one says, but for a file; and one of another model."""
    sign(store, key, "flights", "1", bundles["1"])
    sign(store, key, "minutes", "1", bundles["regression"])
    mine, theirs = (open_bundle(store, bundles[name]).manifest for name in ("1", "2"))
    forged = write_bundle(
        store, mine.model_copy(update={"onnx": theirs.onnx, "golden": theirs.golden})
    )
    client = serve(own_settings=required)
    put_release(store, 1, forged)
    client.look()
    assert "it has no signature" in refused(client)[1]
    put_release(store, 2, bundles["regression"])
    client.look()
    assert "is not of this bundle, model and version" in refused(client)[1]
    put_release(store, 3, bundles["1"], version="2")
    client.look()
    assert "is not of this bundle, model and version" in refused(client)[1]
    put_release(store, 4, bundles["1"])
    client.look()
    assert served(client) == (4, "1")


@pytest.mark.parametrize("end", ["expired", "retired"])
def test_when_a_key_ends_what_serves_goes_on_and_a_server_that_starts_refuses(
    store, bundles, serve, required, end
):
    moment = NOW - DAY
    key = trusted_key(required, PAST)
    sign(store, key, "flights", "1", bundles["1"])
    put_release(store, 1, bundles["1"])
    client = serve(own_settings=required)
    trust = Trust(required.trust)
    known = trust.find(key.id)
    if end == "retired":
        trust.retire(known, moment)
    else:
        (trust.folder / f"{key.id}.json").unlink()
        trust.add(key, PAST, moment)
    sign(store, key, "flights", "2", bundles["2"])
    put_release(store, 2, bundles["2"], version="2")
    client.look()
    assert (served(client), client.get("/ready").status_code) == ((1, "1"), 200)
    assert end in refused(client)[1]
    started = serve(own_settings=required)
    assert started.get("/models/flights").status_code == 503
    assert f"the key {key.id[:16]}" in refused(started)[1]

    new = trusted_key(required, PAST)
    sign(store, new, "flights", "1", bundles["1"])
    started.look()
    assert served(started) == (1, "1"), "a new key signs it, and it serves"


def test_going_back_to_an_older_signed_bundle_is_the_ledgers_business(
    store, bundles, serve, required, key
):
    for version in ("1", "2"):
        sign(store, key, "flights", version, bundles[version])
    put_release(store, 1, bundles["1"])
    put_release(store, 2, bundles["2"], version="2")
    client = serve(own_settings=required)
    assert served(client) == (2, "2")
    put_release(store, 3, bundles["1"])
    client.look()
    assert served(client) == (3, "1")


def test_a_signature_that_was_made_after_the_releases_image_is_found_in_the_store(
    store, bundles, serve, required, key, tmp_path
):
    """A release's container reads what it serves from its image, and logs to the store."""
    put_release(store, 1, bundles["1"])
    shared = LocalStore(tmp_path / "shared")
    client = serve(
        shared,
        required.replace(store=str(shared.root), releases=str(store.root)),
    )
    assert "it has no signature" in refused(client)[1]
    sign(shared, key, "flights", "1", bundles["1"])
    client.look()
    assert served(client) == (1, "1")


def test_bundles_of_before_signatures_serve_where_none_is_required(store, bundles, serve, settings):
    put_release(store, 1, bundles["1"])
    assert served(serve(own_settings=settings)) == (1, "1")
    assert store.read(signature_key(bundles["1"], "0" * 64)) is None
