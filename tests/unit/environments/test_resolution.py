"""What `requires` means is decided once, and what cannot be met is said in words."""

import pytest

from pipelines.environments.lock import base_lock, packages
from pipelines.environments.resolution import find_yanked, resolve
from pipelines.errors import SpecError, Unreachable
from pipelines.store.memory import MemoryStore
from tests.wheels import only_index


@pytest.fixture
def store():
    """A store that remembers nothing yet."""
    return MemoryStore()


@pytest.fixture(scope="module", autouse=True)
def _packages(index):
    index.add("pnclock", "1.0")
    index.add("pnclock", "1.4")
    index.add("pnclock", "2.0")
    index.add("pngear", "3.0", needs=["pnclock<2", "numpy>=1"])
    index.add("pnold", "1.0", needs=["pandas<1"])
    index.add("pnfuture", "1.0", python=">=3.99")
    index.add("pntaken", "1.0", yanked="it lost data")
    index.add_sources("pnsources", "1.0")
    numpy = base_lock()[1]["numpy"]
    index.add("numpy", numpy)
    index.add("numpy", "1.0")


def lock_of(record, store):
    return packages(store.get(record.lock).decode())


def test_the_closure_is_recorded_with_hashes_and_in_the_versions_of_the_lock(store):
    record = resolve(["pngear~=3.0"], store)
    assert lock_of(record, store) == {
        "pnclock": "1.4",
        "pngear": "3.0",
        "numpy": base_lock()[1]["numpy"],
    }
    text = store.get(record.lock).decode()
    assert text.count("--hash=sha256:") == 3
    assert "file://" not in text
    assert record.sha256 == record.lock.sha256


def test_it_is_resolved_once_whatever_is_released_later(store, index):
    before = resolve(["pnclock~=1.0"], store)
    index.add("pnclock", "1.9")
    assert resolve(["pnclock~=1.0"], store) == before
    for _ in only_index("http://127.0.0.1:9/simple"):
        assert resolve(["pnclock~=1.0"], store) == before


@pytest.mark.parametrize("body", [b"{}", b"no JSON", b'{"format": 2}'])
def test_an_entry_of_another_kind_counts_for_nothing(store, body):
    record = resolve(["pnclock==1.4"], store)
    (key,) = (item.name for item in store.contents("entries", "environments"))
    store.remove("entries", key)
    store.publish(key, body)
    assert resolve(["pnclock==1.4"], store) == record


def test_the_order_of_the_entries_is_no_matter(store):
    assert resolve(["pngear==3.0", "pnclock==1.4"], store) == resolve(
        ["pnclock==1.4", "pngear==3.0"], store
    )


@pytest.mark.parametrize(
    ("requires", "at", "said"),
    [
        (["pnclock==1.0", "numpy==1.0"], 1, f"numpy {base_lock()[1]['numpy']}"),
        (["pnclock==1.0", "pnold==1.0"], 1, "pandas"),
        (["pnnowhere==1.0"], 0, "pnnowhere was not found"),
        (["pnclock==7.0"], 0, "pnclock==7.0"),
        (["pngear==3.0", "pnclock==2.0"], 0, "pnclock"),
        (["pnfuture==1.0"], 0, "Python"),
        (["pntaken==1.0"], 0, "yanked by its authors: it lost data"),
        (["pnsources==1.0"], 0, "wheel"),
    ],
)
def test_what_cannot_be_met_is_named_at_its_entry(store, requires, at, said):
    with pytest.raises(SpecError) as raised:
        resolve(requires, store)
    assert said in raised.value.message
    assert raised.value.at == ("requires", at)
    assert raised.value.remedy
    assert store.keys("environments") == []


def test_an_index_that_is_away_is_no_fault_of_the_spec(store):
    for _ in only_index("http://user:geheim@127.0.0.1:9/simple"):
        with pytest.raises(Unreachable, match="did not answer") as raised:
            resolve(["pnclock==1.0"], store)
    assert "geheim" not in str(raised.value)


def test_what_was_yanked_since_is_found(store, index):
    lock = store.get(resolve(["pnclock==1.4"], store).lock).decode()
    assert find_yanked(lock) == ""
    index.add("pnlater", "1.0")
    lock = store.get(resolve(["pnlater==1.0"], store).lock).decode()
    page = index.root / "pnlater" / "index.html"
    page.write_text(page.read_text().replace("<a ", '<a data-yanked="" '))
    assert find_yanked(lock) == "pnlater==1.0 was yanked"
