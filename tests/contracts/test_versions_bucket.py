"""Feature versions whose DVC remote is in a bucket: what only a bucket can do to them."""

import shutil
import subprocess
from dataclasses import replace

import pytest

from pipelines.errors import Corrupted, Unreachable
from pipelines.refs import sha256
from pipelines.settings import load_settings
from pipelines.versions import FeatureFile
from pipelines.versions.bucket_remote import BucketRemote
from pipelines.versions.dvc import DvcVersions
from pipelines.versions.objects import md5
from pipelines.versions.opening import remote_of
from pipelines.versions.remote import FolderRemote
from tests.bad_network import ALWAYS, bad_network

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


def file(data):
    return FeatureFile(key=sha256(b"inputs"), sha256=sha256(data), rows=len(data)), data


def key_of(data):
    name = md5(data)
    return f"dvc/files/md5/{name[:2]}/{name[2:]}"


@pytest.fixture
def remote(address):
    return BucketRemote(address)


@pytest.fixture
def versions(remote, tmp_path):
    return DvcVersions(tmp_path / "versions", 60, remote=remote)


def test_objects_lie_in_the_bucket_as_dvc_names_them(versions, in_bucket, tmp_path):
    versions.commit("m", {"a": file(b"ann"), "b": file(b"ben")}, "two")
    names = {item.name for item in in_bucket.client.all("dvc")}
    assert {key_of(b"ann"), key_of(b"ben")} < names
    assert not (tmp_path / "versions" / "remote").exists()
    config = (tmp_path / "versions" / "repo" / ".dvc" / "config").read_text()
    assert f"url = {in_bucket.address.url}/dvc" in config
    assert f"endpointurl = {in_bucket.address.endpoint}" in config
    assert in_bucket.address.credentials.secret not in config


def test_what_the_cache_lost_is_fetched_and_what_is_added_goes_beside_it(versions, tmp_path):
    first = versions.commit("m", {"a": file(b"ann")}, "one")
    shutil.rmtree(tmp_path / "versions" / "repo" / ".dvc" / "cache")
    assert versions.fetch("m", first, ["a"])[0].read_bytes() == b"ann"
    shutil.rmtree(tmp_path / "versions" / "repo" / ".dvc" / "cache")
    shutil.rmtree(tmp_path / "versions" / "repo" / "features" / "m")
    second = versions.commit("m", {"b": file(b"ben")}, "two")
    paths = versions.fetch("m", second, ["a", "b"])
    assert [path.read_bytes() for path in paths] == [b"ann", b"ben"]


def test_a_changed_object_is_found_refused_and_healed_by_the_next_push(
    versions, endpoint, address, tmp_path
):
    version = versions.commit("m", {"a": file(b"ann")}, "one")
    key = f"{address.prefix}/{key_of(b'ann')}"
    endpoint.boto().put_object(Bucket=address.bucket, Key=key, Body=b"anna")
    (damaged,) = versions.find_damage("m", version.revision)
    assert damaged == address.below(key_of(b"ann"))
    shutil.rmtree(
        tmp_path / "versions" / "repo" / ".dvc" / "cache" / "files" / "md5" / key[-33:-31]
    )
    with pytest.raises(Corrupted, match=rf"{damaged} .* was changed"):
        versions.fetch("m", version, ["a"])
    other = versions.commit("n", {"a": file(b"ann")}, "the same rows of another model")
    assert versions.find_damage("n", other.revision) == []
    assert versions.fetch("m", version, ["a"])[0].read_bytes() == b"ann"


def test_a_pointer_is_committed_only_after_its_objects_arrived(address, tmp_path):
    with bad_network(address.endpoint) as network:
        far = replace(address, endpoint=network.url, retry_seconds=0.5)
        versions = DvcVersions(tmp_path / "versions", 60, remote=BucketRemote(far))
        before = versions.commit("m", {"a": file(b"ann")}, "one")
        network.cut_uploads = ALWAYS
        with pytest.raises(Unreachable):
            versions.commit("m", {"b": file(b"ben" * 100)}, "two")
        assert set(versions.files("m")) == {"a"}
        network.cut_uploads = 0
        after = versions.commit("m", {"b": file(b"ben" * 100)}, "two")
    assert versions.find_damage("m", after.revision) == []
    assert before.revision != after.revision


def test_git_has_no_credentials(versions, address, tmp_path):
    versions.commit("m", {"a": file(b"ann")}, "one")
    history = subprocess.run(
        ["git", "log", "-p"],
        cwd=tmp_path / "versions" / "repo",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert address.url in history
    assert address.credentials.secret not in history


def test_the_remote_follows_the_store(tmp_path):
    environ = {"PERENNIAL_STATE": str(tmp_path)}
    assert isinstance(remote_of(load_settings(environ)), FolderRemote)
    remote = remote_of(load_settings({**environ, "PERENNIAL_STORE": "s3://models/team"}))
    assert remote.options["url"] == "s3://models/team/dvc"
