"""Packages that lie in the store, for processes that reach no index."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO

import pytest

from pipelines.environments.kept import KeptPackages, find_kept, keep, lay
from pipelines.environments.ready import bring_packages, keep_packages, paths, read_lock
from pipelines.environments.record import running_python
from pipelines.environments.recorded_files import SITE, find_damage
from pipelines.environments.resolution import resolve
from pipelines.errors import Corrupted, GiveUp, StorageFull, Unreachable
from pipelines.refs import canonical
from pipelines.store.memory import MemoryStore
from tests.contracts.processes import small_disk
from tests.wheels import only_index

NO_INDEX = "http://127.0.0.1:9/simple"
BIG = 3_000_000


@pytest.fixture(scope="module", autouse=True)
def _packages(index):
    index.add("pnkept", "1.0", {"pnkept/__init__.py": "TICK = 1\n"}, needs=["pnheavy==2.0"])
    index.add("pnheavy", "2.0", {"pnheavy/facts.txt": "a fact " * BIG})


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def record(store):
    return resolve(["pnkept==1.0"], store)


@pytest.fixture
def kept(record, store, tmp_path):
    return keep(record, read_lock(record, store), store, tmp_path / "scratch")


def key(record):
    return f"packages/{record.sha256}/{running_python()}"


def replace_entry(store, record, **changes):
    entry = json.loads(store.read(key(record)))
    store.remove("entries", key(record))
    store.publish(key(record), canonical({**entry, **changes}))


def test_each_package_is_an_archive_under_its_hash_and_the_same_ever_after(
    kept, record, store, tmp_path
):
    assert {(p.name, p.version) for p in kept.packages} == {("pnheavy", "2.0"), ("pnkept", "1.0")}
    other = MemoryStore()
    other.objects.update(store.objects)
    again = keep(record, read_lock(record, other), other, tmp_path / "elsewhere")
    assert again == kept
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_is_kept_is_laid_without_an_index(kept, record, store, settings):
    for _ in only_index(NO_INDEX):
        (site,) = paths(record, settings, store)
        keep_packages(record, settings, store)
    folder = settings.state / "environments"
    assert site.startswith(str(folder))
    names = {path.name for path in (folder / site).iterdir()}
    assert {"pnkept", "pnheavy", "pnkept-1.0.dist-info"} <= names


def test_with_a_bucket_whoever_is_first_keeps_them_for_all(record, store, settings, tmp_path):
    in_bucket = settings.replace(store="s3://bucket/state")
    paths(record, in_bucket, store)
    assert isinstance(find_kept(record, store), KeptPackages)
    for _ in only_index(NO_INDEX):
        assert paths(record, in_bucket.replace(state=tmp_path / "another host"), store)


def test_in_a_folder_they_are_installed_and_not_kept(record, store, settings):
    assert paths(record, settings, store)
    assert find_kept(record, store) is None


def test_without_an_index_what_is_not_kept_is_said_to_be_out_of_reach(record, store, settings):
    for _ in only_index(NO_INDEX):
        with pytest.raises(Unreachable, match="package index"):
            keep_packages(record, settings, store)
    assert find_kept(record, store) is None


def test_an_image_gets_what_it_lacks_and_every_file_is_held_against_its_hash(
    kept, record, store, settings, tmp_path
):
    in_pod = settings.replace(packages=tmp_path / "packages")
    for _ in only_index(NO_INDEX):
        bring_packages(record, store, in_pod.packages)
        (site,) = paths(record, in_pod, store)
        bring_packages(record, store, in_pod.packages)  # its container was started once more
    (folder,) = in_pod.packages.iterdir()
    assert (site, find_damage(folder, thorough=True)) == (str(folder / SITE), "")
    (folder / SITE / "pnkept" / "__init__.py").write_text("TICK = 2\n")
    with pytest.raises(Corrupted, match=r"pnkept/__init__\.py was changed"):
        paths(record, in_pod, store)


def test_without_them_an_image_is_told_which_python_they_lack(record, store, tmp_path):
    with pytest.raises(GiveUp, match=rf"no packages of environment .*{running_python()}"):
        bring_packages(record, store, tmp_path)


def test_an_archive_that_was_changed_or_is_gone_is_named(kept, record, store, settings, tmp_path):
    [package] = [p for p in kept.packages if p.name == "pnkept"]
    store.objects[package.archive.uri] = b"something else"
    with pytest.raises(Corrupted, match=package.archive.sha256):
        bring_packages(record, store, tmp_path / "packages")
    assert not (tmp_path / "packages").exists() or not list((tmp_path / "packages").glob("*/rec*"))
    keep_packages(record, settings, store)  # where an index is there, it is put again
    bring_packages(record, store, tmp_path / "packages")


def test_a_damaged_archive_is_mended_where_an_index_is_and_named_where_none_is(
    kept, record, store, settings
):
    [package] = [p for p in kept.packages if p.name == "pnkept"]
    store.objects[package.archive.uri] = b"something else"
    for _ in only_index(NO_INDEX):
        with pytest.raises(Corrupted, match=package.archive.sha256):
            paths(record, settings, store)
    assert paths(record, settings, store)
    assert store.get(package.archive)


@pytest.mark.parametrize("name", ["../outside.py", "/outside.py", "link"])
def test_an_archive_that_would_write_elsewhere_is_refused(kept, record, store, tmp_path, name):
    member = tarfile.TarInfo(name)
    member.type = tarfile.SYMTYPE if name == "link" else tarfile.REGTYPE
    member.linkname = "/etc" if name == "link" else ""
    made = BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.addfile(member, BytesIO())
    hostile = store.put(made.getvalue(), ".tar.gz").model_dump()
    packages = [p.model_dump() for p in kept.packages]
    packages[0]["archive"] = hostile
    replace_entry(store, record, packages=packages)
    found = find_kept(record, store)
    with pytest.raises(Corrupted, match="is none"):
        lay(found, [packages[0]["name"]], tmp_path / "a" / "site", store)
    assert not (tmp_path / "a" / "outside.py").exists()


def test_an_older_c_library_is_refused(kept, record, store):
    replace_entry(store, record, glibc="2.99")
    with pytest.raises(GiveUp, match=r"C library from 2\.99 on, and here is"):
        find_kept(record, store)


def test_a_damaged_entry_is_named(kept, record, store):
    replace_entry(store, record, packages="none")
    with pytest.raises(Corrupted, match="names no packages"):
        find_kept(record, store)


def test_a_package_that_is_not_among_them_is_named(kept, store, tmp_path):
    with pytest.raises(GiveUp, match="pnother is not among those"):
        lay(kept, ["pnother"], tmp_path, store)


def test_a_full_disk_is_named(kept, record, store, tmp_path):
    words = r"No space is left for the package pnheavy 2\.0"
    with small_disk(tmp_path / "small", "1m") as small, pytest.raises(StorageFull, match=words):
        bring_packages(record, store, small)
