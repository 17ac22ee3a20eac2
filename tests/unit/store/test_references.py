from pipelines.refs import Ref, Value, sha256
from pipelines.store.local import LocalStore
from pipelines.store.references import references
from pipelines.store.results import once


def ref(name):
    return {"uri": f"objects/{name}", "sha256": sha256(name.encode())}


def test_a_reference_is_one_at_any_depth_and_with_anything_beside_it():
    value = {
        "a": [ref("one"), {"deep": {**ref("two"), "rows": 3}}],
        "b": {**ref("three"), "parts": [ref("four")]},
        "the user's own": [{"uri": 3, "sha256": "x"}, {"uri": "../up", "sha256": "a" * 64}],
    }
    names = [found.uri.rsplit("/", 1)[-1] for found in references(value)]
    assert names == ["one", "two", "three", "four"]


class Table(Value):
    """A reference with more beside it."""

    uri: str
    sha256: str
    rows: int


def test_what_prune_keeps_is_what_a_published_result_is_verified_by(tmp_path):
    """A reference that has more than its two names is verified, too."""
    store, calls = LocalStore(tmp_path), []

    def compute():
        calls.append(1)
        stored = store.put(b"rows")
        return Table(**stored.model_dump(), rows=3)

    first = once(store, "step", "key", Table, compute)
    assert list(references(first.model_dump())) == [Ref(uri=first.uri, sha256=first.sha256)]
    (tmp_path / first.uri).unlink()
    assert once(store, "step", "key", Table, compute) == first
    assert (len(calls), store.get(Ref(uri=first.uri, sha256=first.sha256))) == (2, b"rows")
