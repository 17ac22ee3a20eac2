import pytest

from pipelines.refs import Ref, Value, canonical
from pipelines.store.local import LocalStore
from pipelines.store.results import once


class Made(Value):
    """A result that refers to an object, deep inside, and to a manifest."""

    number: int
    parts: dict[str, list[Ref]]


class Maker:
    """Computes a result and counts how often."""

    def __init__(self, store):
        self.store = store
        self.calls = 0
        self.data = b"made of the inputs"

    def __call__(self):
        self.calls += 1
        part = self.store.put(self.data, ".bin")
        manifest = self.store.put(canonical({"file": part.model_dump()}), ".json")
        return Made(number=self.calls, parts={"all": [manifest]})

    def result(self):
        return once(self.store, "step", "key", Made, self)


@pytest.fixture
def maker(tmp_path):
    return Maker(LocalStore(tmp_path))


def delete(path):
    path.unlink()


def flip(path):
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def test_a_result_is_computed_once(maker):
    assert maker.result() == maker.result()
    assert maker.calls == 1


@pytest.mark.parametrize("harm", [delete, flip])
@pytest.mark.parametrize("ending", [".json", ".bin"])
def test_a_gone_or_damaged_object_is_healed(maker, harm, ending):
    first = maker.result()
    [path] = (maker.store.root / "objects").rglob(f"*{ending}")
    whole = path.read_bytes()
    harm(path)
    assert maker.result() == first
    assert maker.calls == 2
    assert path.read_bytes() == whole
    assert maker.result() == first
    assert maker.calls == 2


def test_where_other_bytes_come_out_the_fresh_result_is_returned(maker):
    first = maker.result()
    delete(maker.store.root / first.parts["all"][0].uri)
    maker.data = b"other bytes"
    fresh = maker.result()
    assert fresh.number == 2
    assert maker.store.get(fresh.parts["all"][0])
