"""Feature versions of several hosts that share nothing but a bucket."""

import shutil

import pytest

from pipelines.errors import Corrupted
from pipelines.refs import sha256
from pipelines.versions import FeatureFile
from pipelines.versions.bucket_remote import BucketRemote
from pipelines.versions.dvc import DvcVersions
from pipelines.versions.shared_history import SharedHistory
from tests.contracts.processes import finish, start
from tests.services import on_every_service

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning"),
    on_every_service,
]

WRITER = """
import pathlib, sys
from pipelines.refs import sha256
from pipelines.settings import load_settings
from pipelines.versions import FeatureFile
from pipelines.versions.dvc import DvcVersions
from pipelines.versions.opening import remote_of

settings = load_settings()
versions = DvcVersions(settings.versions, 60, remote=remote_of(settings))
for number in range(4):
    data = f"{sys.argv[1]} {number}".encode()
    file = FeatureFile(key=sha256(b""), sha256=sha256(data), rows=1)
    versions.commit("m", {f"{sys.argv[1]}-{number}": (file, data)}, "one more")
"""


def file(data):
    return FeatureFile(key=sha256(b"inputs"), sha256=sha256(data), rows=len(data)), data


class Hosts:
    """Hosts that use one bucket."""

    def __init__(self, address, folder):
        self.address, self.folder = address, folder

    def host(self, name):
        return DvcVersions(self.folder / name, 60, remote=BucketRemote(self.address))

    def repo(self, name):
        return self.folder / name / "repo"


@pytest.fixture
def hosts(address, tmp_path):
    return Hosts(address, tmp_path)


def test_what_one_host_commits_the_other_reads_and_builds_on(hosts):
    one, two = hosts.host("one"), hosts.host("two")
    assert two.files("m") == {}
    first = one.commit("m", {"a": file(b"ann")}, "one")
    assert set(two.files("m")) == {"a"}
    assert two.fetch("m", first, ["a"])[0].read_bytes() == b"ann"
    second = two.commit("m", {"b": file(b"ben")}, "two")
    other = two.commit("n", {"c": file(b"cat")}, "of another model")
    assert [p.read_bytes() for p in one.fetch("m", second, ["a", "b"])] == [b"ann", b"ben"]
    assert set(one.files("n", other.revision)) == {"c"}
    assert one.commit("m", {"b": file(b"ben")}, "the same again") == second


def test_a_host_that_is_new_or_has_lost_its_folder_takes_all_from_the_bucket(hosts):
    one = hosts.host("one")
    first = one.commit("m", {"a": file(b"ann")}, "one")
    second = one.commit("m", {"a": file(b"anna")}, "two")
    shutil.rmtree(hosts.folder / "one")
    for versions in (hosts.host("one"), hosts.host("new")):
        assert versions.fetch("m", first, ["a"])[0].read_bytes() == b"ann"
        assert versions.fetch("m", second, ["a"])[0].read_bytes() == b"anna"
        assert versions.find_damage("m", second.revision) == []


def test_hosts_that_write_at_once_lose_nothing(hosts, endpoint):
    names = ("one", "two", "three")
    writers = [
        start(
            WRITER,
            name,
            **endpoint.environment(hosts.address),
            PERENNIAL_STATE=str(hosts.folder / name / "var"),
            PERENNIAL_VERSIONS=str(hosts.folder / name),
        )
        for name in names
    ]
    finish(*writers)
    expected = {f"{name}-{number}" for name in names for number in range(4)}
    for name in (*names, "new"):
        assert set(hosts.host(name).files("m")) == expected


def test_a_commit_that_did_not_reach_the_bucket_is_seen_by_nobody_and_made_again(hosts, endpoint):
    one, two = hosts.host("one"), hosts.host("two")
    one.commit("m", {"a": file(b"ann")}, "one")
    program = (
        "import os, pathlib, signal, sys\n"
        "from pipelines.versions.shared_history import SharedHistory\n"
        "SharedHistory.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
    ) + WRITER
    killed = start(
        program,
        "lost",
        **endpoint.environment(hosts.address),
        PERENNIAL_STATE=str(hosts.folder / "var"),
        PERENNIAL_VERSIONS=str(hosts.folder / "one"),
    )
    killed.communicate()
    assert killed.returncode == -9
    assert set(one.files("m")) == set(two.files("m")) == {"a"}
    two.commit("m", {"b": file(b"ben")}, "two")
    version = one.commit("m", {"c": file(b"cat")}, "three")
    assert set(two.files("m", version.revision)) == {"a", "b", "c"}


def test_a_repository_of_one_host_becomes_the_one_of_all(hosts, address):
    one = hosts.host("one")
    first = one.commit("m", {"a": file(b"ann")}, "one")
    remote = BucketRemote(address)
    for item in remote._client.all("history"):
        remote._client.remove(item.name)
    for mark in (hosts.repo("one") / ".git" / "refs" / "history").iterdir():
        mark.unlink()
    with pytest.raises(Corrupted, match="holds features, but their repository"):
        hosts.host("two").commit("m", {"b": file(b"ben")}, "two")
    one.commit("m", {"c": file(b"cat")}, "three")
    assert hosts.host("two").fetch("m", first, ["a"])[0].read_bytes() == b"ann"


def test_a_repository_that_is_not_the_bucket_s_is_refused(hosts, tmp_path):
    alone = DvcVersions(tmp_path / "one", 60)
    alone.commit("m", {"z": file(b"zoe")}, "of a host of its own")
    hosts.host("two").commit("m", {"a": file(b"ann")}, "two")
    with pytest.raises(Corrupted, match="is not the one whose history"):
        hosts.host("one").commit("m", {"b": file(b"ben")}, "three")


def test_a_new_host_reads_no_more_bundles_than_lie_behind_the_newest_whole_one(hosts):
    one = hosts.host("one")
    remote = BucketRemote(hosts.address)
    one.commit("m", {"a": file(b"ann")}, "the second bundle: the first is an empty repository")
    shared = SharedHistory(hosts.repo("one"), remote.history, tuple, whole_every=3)
    one._git._run("commit", "--quiet", "--allow-empty", "--message", "the third one")
    assert shared.add()
    last = one.commit("m", {"b": file(b"ben")}, "behind the whole one")
    for number in (2, 3):
        remote._client.remove(f"history/parts/{number:06d}")
    assert set(hosts.host("new").files("m", last.revision)) == {"a", "b"}
