"""A release's image: its context holds what serving needs and nothing that changes.

Its names fit everywhere.
"""

from __future__ import annotations

import io
import re
import tarfile

import pytest

from pipelines.bundle.load import golden_differences
from pipelines.bundle.manifest import Release
from pipelines.bundle.release_files import release_files
from pipelines.deployment.docker.context import archive
from pipelines.deployment.docker.image import manifest_of
from pipelines.deployment.docker.names import container_name, image_name, is_of, labels
from pipelines.errors import Corrupted, Untrusted
from pipelines.settings import Settings
from pipelines.signing.signatures import sign
from pipelines.store.local import LocalStore
from pipelines.store.memory import MemoryStore
from serving.loaded_release import open_release
from tests.serving.bundles import put_bundle
from tests.signing import trusted_key


@pytest.fixture(scope="module")
def shelf():
    store = MemoryStore()
    return store, {
        compiled: put_bundle(store, version="7", compiled=compiled) for compiled in (True, False)
    }


def release(bundle, number=3):
    return Release(model="flights", number=number, version="7", bundle=bundle, reason="a test")


def opened(store, own_release, folder, settings=None):
    """Return the release as a container opens it: from the files of its image."""
    contents = release_files(store, own_release, manifest_of(store, own_release))
    with tarfile.open(fileobj=io.BytesIO(archive(contents))) as tar:
        tar.extractall(folder, filter="data")
    known = settings.replace(releases=str(folder)) if settings else None
    return open_release(
        LocalStore(folder),
        "flights",
        3,
        max_rows=10,
        now="2026-01-01T00:00:00Z",
        settings=known,
    )


@pytest.mark.parametrize("compiled", [True, False])
def test_the_context_is_a_store_that_serves_the_release(shelf, tmp_path, compiled):
    store, bundles = shelf
    store.put(b"nobody needs this")
    own_release = release(bundles[compiled])
    served = opened(store, own_release, tmp_path)
    assert served.release == own_release
    assert golden_differences(served.bundle) == []
    contents = release_files(store, own_release, manifest_of(store, own_release))
    assert len(contents) == (6 if compiled else 5)


def test_an_image_brings_its_bundles_signatures(shelf, tmp_path):
    store, bundles = shelf
    own_store = MemoryStore()
    own_store.objects.update(store.objects)
    own_release = release(bundles[True])
    settings = Settings(state=tmp_path, require_signature=True)
    key = trusted_key(settings)
    with pytest.raises(Untrusted, match="it has no signature"):
        opened(own_store, own_release, tmp_path / "unsigned", settings)
    sign(own_store, key, "flights", "7", own_release.bundle)
    assert opened(own_store, own_release, tmp_path / "signed", settings).release == own_release


def test_the_same_release_gives_the_same_bytes(shelf):
    store, bundles = shelf
    own_release = release(bundles[True])
    contents = release_files(store, own_release, manifest_of(store, own_release))
    assert archive(contents) == archive(dict(reversed(contents.items())))
    assert archive(contents) != archive(
        release_files(store, release(bundles[True], 4), manifest_of(store, own_release))
    )
    with tarfile.open(fileobj=io.BytesIO(archive(contents))) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in tar} == {(0, 0, 0, "")}
        assert {m.mode for m in tar if m.isfile()} == {0o444}


def test_a_damaged_object_is_never_built_in(shelf):
    store, bundles = shelf
    own_release = release(bundles[True])
    manifest = manifest_of(store, own_release)
    empty_store = MemoryStore()
    empty_store.objects.update(store.objects)
    empty_store.objects[manifest.onnx.uri] = b"another model"
    with pytest.raises(Corrupted, match=manifest.onnx.uri):
        release_files(empty_store, own_release, manifest)


@pytest.mark.parametrize(
    "model", ["a", "flight_delays", "a__b", "a___b", "a_", "m" * 48, "a_" * 24, "m" * 36]
)
def test_names_fit_an_image_and_the_dns(model):
    container, image = container_name(model, 12_345_678), image_name(model, 12_345_678)
    assert len(container) <= 63
    assert re.fullmatch(r"perennial-release-[a-z0-9_]+-[0-9]+", container)
    assert re.fullmatch(r"perennial/release-[a-z0-9]+((_{1,2}|-)[a-z0-9]+)*:12345678", image)


def test_names_of_two_models_differ():
    names = ["a_", "a__", "a", "a___b", "a__b", "a_b", "m" * 47, "m" * 48]
    assert len({container_name(n, 1) for n in names}) == len(names)
    assert container_name("flight_delays", 7) == "perennial-release-flight_delays-7"


def test_labels_tell_another_bundle_of_the_same_number(shelf):
    store, bundles = shelf
    own_release, other = release(bundles[True]), release(bundles[False])
    image_labels = labels(own_release, manifest_of(store, own_release), "promote")
    assert is_of(image_labels, own_release)
    assert not is_of(image_labels, other)
    assert not is_of({}, own_release)
    assert image_labels["perennial.verdict"] == "promote"
