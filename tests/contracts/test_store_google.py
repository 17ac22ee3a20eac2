"""The store in a bucket of Google: what its service says otherwise than S3 does.

What every store and every bucket promise is tested on it by `test_store.py` and
`test_store_services.py`.
"""

import contextlib
import json
import shutil
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipelines.errors import Denied, RequestError
from pipelines.refs import sha256
from pipelines.store.bucket.store import BucketStore
from pipelines.versions import FeatureFile
from pipelines.versions.bucket_remote import BucketRemote
from pipelines.versions.dvc import DvcVersions
from tests.buckets import LARGE, bucket_store
from tests.google_account import EMAIL, ServiceAccount
from tests.google_xml import PAGE

pytestmark = [
    pytest.mark.cluster,
    # DVC 3.67 asks pygtrie for the value of a step that is not there.
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
]


@pytest.fixture
def endpoint(google_endpoint):
    return google_endpoint


class TestTheKey:
    def test_a_right_that_is_missing_is_named_with_its_role(self, far, network):
        network.refuse("PUT", 403, "AccessDenied")
        with pytest.raises(Denied, match=r"the right storage\.objects\.create") as denied:
            far.put(b"rows")
        assert f"give {EMAIL} the role roles/storage.objectUser" in denied.value.remedy
        assert f"gs://{far.address.bucket}" in denied.value.remedy

    def test_one_that_google_does_not_know_is_refused_and_never_shown(self, address, tmp_path):
        other = ServiceAccount()
        wrong = replace(address.credentials, secret=other.key)
        store = bucket_store(replace(address, credentials=wrong), tmp_path / "wrong")
        with pytest.raises(Denied, match="does not take the credentials") as denied:
            store.put(b"rows")
        assert "GOOGLE_APPLICATION_CREDENTIALS" in denied.value.remedy
        assert "PRIVATE KEY" not in str(denied.value) + repr(store.address)

    @pytest.mark.parametrize("pem", ["no key at all", "-----BEGIN PRIVATE KEY-----\nno\n"])
    def test_one_that_is_none_is_named_and_never_shown(self, address, tmp_path, pem):
        text = json.dumps({**json.loads(address.credentials.secret), "private_key": pem})
        none = replace(address.credentials, secret=text)
        store = bucket_store(replace(address, credentials=none), tmp_path / "none")
        with pytest.raises(RequestError, match="cannot be used as it is set") as refused:
            store.put(b"rows")
        assert pem not in str(refused.value)

    def test_two_keys_at_once_are_refused(self, address, tmp_path, monkeypatch):
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "another"))
        with pytest.raises(RequestError, match="cannot be used as it is set"):
            bucket_store(address, tmp_path / "two").put(b"rows")


class _Identity(BaseHTTPRequestHandler):
    """Google's server of a machine's or a pod's own identity."""

    status = 200

    def do_GET(self) -> None:
        assert self.headers["Metadata-Flavor"] == "Google"
        assert self.path.startswith("/computeMetadata/v1/instance/service-accounts/default/token")
        body = json.dumps({"access_token": "of-the-machine", "expires_in": 3_600}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class TestAMachineWithoutAKey:
    @pytest.fixture
    def store(self, address, tmp_path) -> BucketStore:
        keyless = replace(address, credentials=None, retry_seconds=0.5)
        return bucket_store(keyless, tmp_path / "keyless")

    @pytest.fixture
    def identity(self, monkeypatch):
        handler = type("Identity", (_Identity,), {})
        with HTTPServer(("127.0.0.1", 0), handler) as server:
            monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{server.server_port}")
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            yield handler
            server.shutdown()
            thread.join()

    @pytest.mark.usefixtures("identity")
    def test_its_own_identity_counts(self, endpoint, store):
        endpoint.front.tokens.add("of-the-machine")
        try:
            assert store.get(store.put(b"rows")) == b"rows"
        finally:
            endpoint.front.tokens.clear()

    def test_one_that_has_none_is_told_where_a_key_may_be(self, store, identity):
        identity.status = 404
        with pytest.raises(Denied, match="this machine has no identity") as denied:
            store.put(b"rows")
        assert "PERENNIAL_STORE_CREDENTIALS" in denied.value.remedy


def test_a_listing_of_several_pages_is_whole(in_bucket):
    names = [f"m/{number:03d}" for number in range(2 * PAGE + 1)]
    for name in names:
        in_bucket.client.put(f"keys/{name}", b"")
    assert in_bucket.keys("m") == names
    assert [item.name for item in in_bucket.contents("entries")] == names


class TestFaultsOfTheService:
    """Those that Google's testbench plays."""

    @pytest.mark.parametrize(
        ("method", "fault"),
        [
            ("storage.objects.insert", "return-503"),
            ("storage.objects.insert", "return-429"),
            ("storage.objects.insert", "return-reset-connection"),
            ("storage.objects.get", "return-504"),
            ("storage.objects.get", "return-broken-stream"),
            ("storage.objects.list", "return-reset-connection"),
            ("storage.objects.list", "return-500"),
            ("storage.objects.delete", "return-503"),
        ],
    )
    def test_one_that_passes_is_tried_again(self, endpoint, in_bucket, method, fault):
        with _failing(endpoint.front, method, fault, fault):
            ref = in_bucket.put(LARGE)
            assert bucket_store(in_bucket.address, in_bucket.folder / "other").get(ref) == LARGE
            assert [item.name for item in in_bucket.contents("objects")] == [ref.uri]
            assert in_bucket.remove("objects", ref.uri)
            assert endpoint.front.has_failed()

    def test_a_write_that_was_refused_at_first_is_known_as_ones_own(self, endpoint, in_bucket):
        assert in_bucket.publish("results/other", b"{}")
        with _failing(endpoint.front, "storage.objects.insert", "return-503"):
            assert in_bucket.publish("results/k", b"first")
            assert endpoint.front.has_failed()
        assert not in_bucket.publish("results/k", b"second")


@contextlib.contextmanager
def _failing(front, method, *faults):
    front.fail(method, *faults)
    try:
        yield
    finally:
        front.retry_test = ""


def test_features_lie_in_the_bucket_and_another_host_fetches_them(address, tmp_path):
    data = b"ann"
    file = FeatureFile(key=sha256(b"inputs"), sha256=sha256(data), rows=3), data
    one = DvcVersions(tmp_path / "one", 60, remote=BucketRemote(address))
    version = one.commit("m", {"a": file}, "one")
    other = DvcVersions(tmp_path / "other", 60, remote=BucketRemote(address))
    assert other.fetch("m", version, ["a"])[0].read_bytes() == data
    config = (tmp_path / "one" / "repo" / ".dvc" / "config").read_text()
    assert f"url = {address.url}/dvc" in config
    assert "PRIVATE KEY" not in config
    shutil.rmtree(tmp_path / "one" / "repo" / ".dvc" / "cache")
    assert one.fetch("m", version, ["a"])[0].read_bytes() == data
