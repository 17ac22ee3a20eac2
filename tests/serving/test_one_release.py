"""What a pod does before its server is led to: its release is brought, and proven over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time

import pytest

from pipelines.bundle.golden_answers import REFUSED
from pipelines.bundle.load import read_golden, read_manifest
from pipelines.bundle.manifest import Golden, Release
from pipelines.errors import Corrupted, GiveUp, RequestError, Unreachable
from pipelines.inference_log.reader import read_log
from pipelines.refs import canonical
from pipelines.settings import Settings
from pipelines.store.local import LocalStore
from serving.one_release import bring_personal_key, bring_release
from serving.proof import prove
from tests.buckets import free_port
from tests.serving.bundles import put_bundle

pytestmark = pytest.mark.slow

TOKEN = "a-pod-s-own"


def release_of(bundle, version="1"):
    return Release(model="flights", number=4, version=version, bundle=bundle, reason="a test")


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "store")


@pytest.fixture
def settings(store, tmp_path):
    """A pod's settings: the release, where it comes from, and where it goes."""
    return Settings(
        state=tmp_path / "state",
        store=str(store.root),
        releases=str(tmp_path / "release"),
        release=canonical(release_of(put_bundle(store))).decode(),
        proof_token=TOKEN,
        serving_port=free_port(),
        draining=tmp_path / "draining",
    )


def test_one_release_is_brought_and_nothing_else(store, settings):
    put_bundle(store, version="2", seed=2)
    release = bring_release(settings)
    assert bring_release(settings) == release, "a pod that is started again brings it again"
    brought = LocalStore(store.root.parent / "release")
    assert brought.keys("releases/flights") == ["releases/flights/00000004"]
    manifest = read_manifest(brought, release.bundle)
    files = {path.name for path in (brought.root / "objects").rglob("*") if path.is_file()}
    wanted = {ref.uri.rsplit("/", 1)[-1] for ref in (release.bundle, *manifest.files)}
    assert files == wanted


def test_what_is_missing_or_changed_is_named(store, settings):
    release = Release.model_validate_json(settings.release)
    native = read_manifest(store, release.bundle).native
    path = store.root / native.uri
    path.chmod(0o600)
    path.write_bytes(b"changed")
    with pytest.raises(Corrupted, match=native.uri):
        bring_release(settings)


def test_a_bundle_of_another_version_is_refused(store, settings):
    wrong = release_of(put_bundle(store), version="7")
    with pytest.raises(GiveUp, match="is of flights 1, not of flights 7"):
        bring_release(settings.replace(release=canonical(wrong).decode()))
    with pytest.raises(RequestError, match="PERENNIAL_RELEASE names no release"):
        bring_release(settings.replace(release="{"))


def test_the_key_for_personal_data_is_made_private(settings, tmp_path):
    shared = tmp_path / "personal_key"
    shared.write_bytes(b"k" * 32)
    shared.chmod(0o640)
    bring_personal_key(settings)
    assert not settings.personal_key.exists()
    with_key = settings.replace(personal_key_from=shared)
    settings.personal_key.parent.mkdir(parents=True)
    bring_personal_key(with_key)
    bring_personal_key(with_key)
    assert settings.personal_key.read_bytes() == b"k" * 32
    shared.unlink()
    with pytest.raises(Unreachable, match="cannot be copied"):
        bring_personal_key(with_key)


@contextlib.contextmanager
def serving(settings):
    """A real server on its port."""
    from serving.__main__ import server

    found = server(settings)
    thread = threading.Thread(target=found.run)
    thread.start()
    try:
        end = time.monotonic() + 30
        while not found.started:
            assert time.monotonic() < end
            time.sleep(0.05)
        yield
    finally:
        found.should_exit = True
        thread.join()


def test_a_release_proves_itself_without_being_traffic(store, settings):
    bring_release(settings)
    with serving(settings):
        assert prove(settings) == ""
    assert read_log(store, "flights").rows.num_rows == 0


def test_an_answer_that_differs_is_refused_for_good(store, settings):
    release = bring_release(settings)
    with serving(settings):
        # The server holds the bundle in memory: only what it is compared with is another one
        manifest, golden = read_golden(store, release.bundle)
        wrong = Golden(rows=golden.rows[:5], answers=[[0.123]] * 5)
        brought = LocalStore(store.root.parent / "release")
        other = manifest.model_copy(update={"golden": brought.put(canonical(wrong), ".json")})
        bundle = brought.put(canonical(other), ".json")
        asked = release.model_copy(update={"bundle": bundle})
        words = prove(settings.replace(release=canonical(asked).decode()))
    assert words.startswith(f"{REFUSED}it does not answer as it was packaged: golden request 0")
    assert "(and 2 more)" in words


def test_a_release_that_its_server_refuses_is_refused_for_good(store, settings):
    rows = [{"distance": 500.0, "seats": 150, "weekend": False, "carrier": "UA"}]
    bundle = put_bundle(store, golden=Golden(rows=rows, answers=[[0.123]]))
    broken = settings.replace(release=canonical(release_of(bundle)).decode())
    bring_release(broken)
    with serving(broken):
        words = prove(broken)
    assert words.startswith(f"{REFUSED}its server refuses the release")
    assert "expected [0.123]" in words


def test_a_server_that_is_about_to_end_lets_its_connections_go(settings):
    bring_release(settings)
    with serving(settings):
        connection = http.client.HTTPConnection("127.0.0.1", settings.serving_port, timeout=5)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("connection") is None
        settings.draining.touch()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (200, "close")
        answer.read()
        connection.close()
        # It answers all the same: callers are led elsewhere meanwhile
        assert prove(settings) == ""
