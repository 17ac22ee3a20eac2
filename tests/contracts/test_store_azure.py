"""The store in a container of Azure: what its service says otherwise than S3 does.

What every store and every bucket promise is tested on it by `test_store.py` and
`test_store_services.py`.
"""

import shutil
from dataclasses import replace

import pytest

from pipelines.errors import Denied, RequestError
from pipelines.refs import sha256
from pipelines.versions import FeatureFile
from pipelines.versions.bucket_remote import BucketRemote
from pipelines.versions.dvc import DvcVersions
from tests.azurite import ACCOUNT, KEY, azurite
from tests.buckets import bucket_store

pytestmark = [
    pytest.mark.cluster,
    # DVC 3.67 asks pygtrie for the value of a step that is not there.
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
]


@pytest.fixture
def endpoint():
    return azurite()


class TestTheContainer:
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
