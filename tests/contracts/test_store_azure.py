"""The store in a container of Azure: what its service says otherwise than S3 does.

What every store promises is tested on it by `test_store.py`.
"""

import shutil
from dataclasses import replace

import pytest

from pipelines.errors import Denied, RequestError, Unreachable
from pipelines.refs import sha256
from pipelines.store.bucket.client import PART_BYTES
from pipelines.store.bucket.probe import probe
from pipelines.versions import FeatureFile
from pipelines.versions.bucket_remote import BucketRemote
from pipelines.versions.dvc import DvcVersions
from tests.azurite import ACCOUNT, KEY, azurite
from tests.bad_network import ALWAYS, bad_network
from tests.buckets import bucket_store
from tests.contracts.writers import count_won

pytestmark = [
    pytest.mark.cluster,
    # DVC 3.67 asks pygtrie for the value of a step that is not there.
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
]

LARGE = bytes(range(256)) * (PART_BYTES // 256 * 5 // 2)
"""Two and a half parts."""


@pytest.fixture(scope="module")
def endpoint():
    return azurite()


@pytest.fixture
def address(endpoint):
    with endpoint.bucket() as address:
        yield address


@pytest.fixture
def in_bucket(address, tmp_path):
    return bucket_store(address, tmp_path / "host")


@pytest.fixture
def network(endpoint):
    with bad_network(endpoint.url) as network:
        yield network


@pytest.fixture
def far(address, network, tmp_path):
    behind = replace(address, endpoint=f"{network.url}/{ACCOUNT}", retry_seconds=15)
    return bucket_store(behind, tmp_path / "far")


class TestTheContainer:
    def test_a_missing_one_is_named_by_every_call(self, endpoint, in_bucket, tmp_path):
        ref = in_bucket.put(b"rows")
        store = bucket_store(endpoint.address(), tmp_path / "other")
        for call in (
            lambda: store.get(ref),
            lambda: store.read("k/one"),
            lambda: store.keys("k"),
            lambda: store.put(b"more"),
            lambda: store.put(LARGE),
            lambda: store.publish("k/two", b"x"),
            lambda: list(store.contents("objects")),
        ):
            with pytest.raises(RequestError, match=f"no container {store.address.bucket} at http"):
                call()

    @pytest.mark.parametrize("code", ["AuthorizationFailure", "AuthorizationPermissionMismatch"])
    def test_a_right_that_is_missing_is_named_with_its_role(self, far, network, code):
        network.refuse("PUT", 403, code)
        with pytest.raises(Denied, match="the right blobs/write is missing") as denied:
            far.put(b"rows")
        assert "Storage Blob Data Contributor" in denied.value.remedy
        assert far.address.bucket in denied.value.remedy

    def test_a_wrong_key_is_refused_and_never_shown(self, address, tmp_path):
        wrong = replace(address.credentials, secret="c2VjcmV0LXRoYXQtaXMtd3Jvbmc=")
        store = bucket_store(replace(address, credentials=wrong), tmp_path / "wrong")
        with pytest.raises(Denied) as denied:
            store.put(b"rows")
        assert "AZURE_STORAGE_ACCOUNT_KEY" in denied.value.remedy
        assert wrong.secret not in str(denied.value) + repr(store.address)

    def test_a_key_that_is_none_is_named_and_never_shown(self, address, tmp_path):
        none = replace(address.credentials, secret="no base64!")
        store = bucket_store(replace(address, credentials=none), tmp_path / "none")
        with pytest.raises(RequestError, match="cannot be used as it is set") as refused:
            store.put(b"rows")
        assert none.secret not in str(refused.value)

    def test_a_probe_leaves_nothing_behind(self, in_bucket):
        probe(in_bucket.client)
        assert list(in_bucket.client.all("probes")) == []

    def test_of_three_hosts_exactly_one_publishes(self, endpoint, address, tmp_path):
        assert count_won(endpoint.environment(address), tmp_path) == 20


class TestABadWay:
    def test_what_is_throttled_is_tried_again(self, far, network):
        ref = far.put(b"rows")
        for method in ("PUT", "GET"):
            network.refuse(method, 503, "ServerBusy", times=4)
        assert far.put(b"more")
        assert far.get(ref) == b"rows"
        assert network.answers["PUT", 503] == network.answers["GET", 503] == 4

    def test_an_upload_that_is_cut_is_begun_again(self, far, network, in_bucket):
        network.cut_uploads = 3
        ref = far.put(LARGE)
        assert network.cut_uploads == 0
        assert in_bucket.get(ref) == LARGE

    @pytest.mark.parametrize("data", [b"rows" * 1000, LARGE], ids=["one piece", "parts"])
    def test_one_that_is_always_cut_leaves_no_half_object(
        self, far, network, in_bucket, data, tmp_path
    ):
        network.cut_uploads = ALWAYS
        impatient = bucket_store(replace(far.address, retry_seconds=0.5), tmp_path / "impatient")
        with pytest.raises(Unreachable, match=r"nothing was half-written"):
            impatient.put(data)
        assert list(in_bucket.contents("objects")) == []

    def test_a_write_whose_answer_was_lost_is_known_as_ones_own(self, far, network, in_bucket):
        assert far.publish("results/other", b"{}")
        network.lost_answers = 1
        assert far.publish("results/k", b"first")
        assert network.lost_answers == 0
        assert not far.publish("results/k", b"first")
        assert in_bucket.read("results/k") == b"first"


def test_features_lie_in_the_container_and_another_host_fetches_them(address, in_bucket, tmp_path):
    data = b"ann"
    file = FeatureFile(key=sha256(b"inputs"), sha256=sha256(data), rows=3), data
    one = DvcVersions(tmp_path / "one", 60, remote=BucketRemote(address))
    version = one.commit("m", {"a": file}, "one")
    other = DvcVersions(tmp_path / "other", 60, remote=BucketRemote(address))
    assert other.fetch("m", version, ["a"])[0].read_bytes() == data
    config = (tmp_path / "one" / "repo" / ".dvc" / "config").read_text()
    assert f"url = azure://{address.bucket}/{address.prefix}/dvc" in config
    assert f"account_name = {ACCOUNT}" in config
    assert KEY not in config
    shutil.rmtree(tmp_path / "one" / "repo" / ".dvc" / "cache")
    assert one.fetch("m", version, ["a"])[0].read_bytes() == data
