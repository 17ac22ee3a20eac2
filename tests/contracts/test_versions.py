"""The Versions port: what both implementations promise."""

import pytest

from pipelines.errors import Corrupted, RequestError
from pipelines.refs import FeaturesVersion, sha256
from pipelines.versions import FeatureFile, MemoryVersions, version_hash
from pipelines.versions.bucket_remote import BucketRemote
from pipelines.versions.dvc import DvcVersions
from tests.buckets import real_endpoint

# DVC 3.67 asks pygtrie for the value of a step that is not there; pygtrie 2.5 will raise
# AttributeError some day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")


def file(data, key="inputs"):
    return FeatureFile(key=sha256(key.encode()), sha256=sha256(data), rows=len(data)), data


KINDS = [
    "dvc",
    "memory",
    pytest.param("moto", marks=pytest.mark.slow),
    pytest.param("real", marks=pytest.mark.cluster),
]


@pytest.fixture(params=KINDS)
def versions(request, tmp_path):
    """An implementation; those of buckets are DVC with its remote in one."""
    if request.param == "memory":
        yield MemoryVersions()
    elif request.param == "dvc":
        yield DvcVersions(tmp_path / "versions", lock_timeout=60)
    else:
        moto = request.param == "moto"
        endpoint = request.getfixturevalue("moto_endpoint") if moto else real_endpoint()
        with endpoint.bucket() as address:
            yield DvcVersions(tmp_path / "versions", 60, remote=BucketRemote(address))


class TestVersions:
    def test_before_the_first_commit_there_is_nothing(self, versions):
        assert versions.files("m") == {}
        with pytest.raises(Corrupted):
            versions.files("m", "0" * 40)

    def test_what_was_committed_comes_back(self, versions):
        version = versions.commit(
            "m", {"2013-01-01T00": file(b"jan"), "2013-02-01T00": file(b"feb")}, "two months"
        )
        assert versions.files("m") == {
            "2013-01-01T00": file(b"jan")[0],
            "2013-02-01T00": file(b"feb")[0],
        }
        assert version.sha256 == version_hash(versions.files("m"))
        paths = versions.fetch("m", version, ["2013-02-01T00", "2013-01-01T00"])
        assert [p.read_bytes() for p in paths] == [b"feb", b"jan"]
        assert versions.fetch("m", version, []) == []

    def test_a_file_is_committed_as_its_bytes_are_and_stays(self, versions, tmp_path):
        (tmp_path / "jan").write_bytes(b"jan")
        described, _ = file(b"jan")
        version = versions.commit("m", {"jan": (described, tmp_path / "jan")}, "from a file")
        [path] = versions.fetch("m", version, ["jan"])
        assert path.read_bytes() == (tmp_path / "jan").read_bytes() == b"jan"
        (tmp_path / "jan").write_bytes(b"changed")
        with pytest.raises(RequestError, match="SHA-256"):
            versions.commit("m", {"feb": (described, tmp_path / "jan")}, "changed")

    def test_what_is_dropped_is_gone_from_every_revision_but_the_newest(self, versions):
        first = versions.commit("m", {"a": file(b"ann ben"), "b": file(b"zoe")}, "first")
        second = versions.commit("m", {"a": file(b"ann")}, "without ben")
        old = versions.commit("n", {"a": file(b"ben, of another model")}, "another")
        versions.commit("n", {"a": file(b"of another model")}, "another without ben")
        assert versions.drop("m", lambda data: b"ben" in data) == 1
        assert versions.drop("m", lambda data: b"ben" in data) == 0
        with pytest.raises(Corrupted):
            versions.fetch("m", first, ["a"])
        assert [p.read_bytes() for p in versions.fetch("m", first, ["b"])] == [b"zoe"]
        assert [p.read_bytes() for p in versions.fetch("m", second, ["a", "b"])] == [b"ann", b"zoe"]
        assert versions.files("m", first.revision)["a"] == file(b"ann ben")[0]
        assert len(versions.find_damage("m", first.revision)) == 1
        assert versions.find_damage("n", old.revision) == []

    def test_old_versions_stay_as_they_were(self, versions):
        first = versions.commit("m", {"a": file(b"1"), "b": file(b"2")}, "first")
        second = versions.commit("m", {"b": file(b"3"), "c": file(b"4")}, "second")
        assert first != second
        assert [p.read_bytes() for p in versions.fetch("m", first, ["a", "b"])] == [b"1", b"2"]
        assert [p.read_bytes() for p in versions.fetch("m", second, ["a", "b", "c"])] == [
            b"1",
            b"3",
            b"4",
        ]
        assert set(versions.files("m", first.revision)) == {"a", "b"}
        with pytest.raises(RequestError, match="'c'"):
            versions.fetch("m", first, ["c"])

    def test_nothing_changed_is_the_newest_version(self, versions):
        version = versions.commit("m", {"a": file(b"1")}, "first")
        assert versions.commit("m", {"a": file(b"1")}, "again") == version
        assert versions.commit("m", {}, "nothing") == version
        versions.commit("n", {"a": file(b"2")}, "another model")
        assert versions.commit("m", {"a": file(b"1")}, "again") == version

    def test_the_same_bytes_from_other_inputs_are_a_new_version(self, versions):
        first = versions.commit("m", {"a": file(b"1")}, "first")
        second = versions.commit("m", {"a": file(b"1", key="others")}, "other inputs")
        assert second.revision != first.revision
        assert versions.files("m", first.revision)["a"].key != versions.files("m")["a"].key
        assert versions.fetch("m", second, ["a"])[0].read_bytes() == b"1"

    def test_models_do_not_see_each_other(self, versions):
        one, two = (
            versions.commit("m", {"a": file(b"1")}, "m"),
            versions.commit("n", {"a": file(b"2")}, "n"),
        )
        assert versions.fetch("m", one, ["a"])[0].read_bytes() == b"1"
        assert versions.fetch("n", two, ["a"])[0].read_bytes() == b"2"
        assert versions.files("n", one.revision) == {}

    def test_there_is_no_version_without_files(self, versions):
        with pytest.raises(RequestError, match="no features of m"):
            versions.commit("m", {}, "nothing")

    def test_bytes_that_are_not_what_their_hash_says_are_refused(self, versions):
        with pytest.raises(RequestError, match="m/a"):
            versions.commit("m", {"a": (file(b"1")[0], b"2")}, "wrong")
        assert versions.files("m") == {}

    def test_a_version_with_another_hash_is_refused(self, versions):
        version = versions.commit("m", {"a": file(b"1")}, "first")
        with pytest.raises(Corrupted, match="hash"):
            versions.fetch("m", FeaturesVersion(revision=version.revision, sha256="0" * 64), ["a"])

    @pytest.mark.parametrize(
        "name",
        ["", "..", "../a", "a/b", ".git", "-rf", "a\x00", "a\n", "ü", "a" * 101, "a b", "a;b", "*"],
    )
    def test_hostile_names_are_refused(self, versions, name):
        version = versions.commit("m", {"a": file(b"1")}, "first")
        for call in (
            lambda: versions.commit("m", {name: file(b"1")}, "hostile"),
            lambda: versions.commit(name, {"a": file(b"1")}, "hostile"),
            lambda: versions.fetch("m", version, [name]),
            lambda: versions.fetch(name, version, ["a"]),
            lambda: versions.files(name),
        ):
            with pytest.raises(RequestError):
                call()

    @pytest.mark.parametrize(
        "revision", ["--help", "HEAD", "main", "0" * 39, "0" * 40, "$(id)", "", "HEAD\nHEAD"]
    )
    def test_a_revision_that_is_not_there_is_refused(self, versions, revision):
        versions.commit("m", {"a": file(b"1")}, "first")
        with pytest.raises((RequestError, Corrupted)):
            versions.files("m", revision)

    @pytest.mark.parametrize("message", ["", "--amend", "a\x00b", "# a comment\n\nü", "\ud800"])
    def test_any_message_is_taken(self, versions, message):
        assert versions.commit("m", {"a": file(b"1")}, message).revision
