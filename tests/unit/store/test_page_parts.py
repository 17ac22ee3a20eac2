"""A page is kept packed and comes back as it was; the program within it is kept once."""

from __future__ import annotations

import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import Corrupted
from pipelines.store.memory import MemoryStore
from pipelines.store.page_parts import Cut, PageRef, get_page, put_page
from pipelines.store.pages import find_page, publish_kept, publish_page
from pipelines.store.references import references

PROGRAM, FONT = b"draw(" + bytes(range(256)) * 400 + b")", b"font" * 5_000


def test_what_pages_have_in_common_is_kept_once():
    store = MemoryStore()
    pages = [b"<a>%d" % n + FONT + b"<b>" + PROGRAM + b"data %d" % n for n in range(3)]
    refs = [put_page(store, page, [PROGRAM, FONT]) for page in pages]
    assert [get_page(store, ref) for ref in refs] == pages
    assert len(list(store.contents("objects"))) == 3 + 2
    assert len({cut.program for ref in refs for cut in ref.cuts}) == 2
    own = sum(i.size for i in store.contents("objects") if i.name.endswith(".html.xz"))
    assert own < 3 * 90


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([b"", b"x", b"<html>", PROGRAM, FONT, b"draw("]), max_size=8),
    st.lists(st.sampled_from([PROGRAM, FONT, b"", b"absent", b"<", b"html"]), max_size=4),
)
def test_any_page_comes_back_as_it_was_whatever_is_cut_out_of_it(parts, programs):
    store, page = MemoryStore(), b"".join(parts)
    assert get_page(store, put_page(store, page, programs)) == page


def test_the_same_page_has_the_same_name():
    first, again = MemoryStore(), MemoryStore()
    assert put_page(first, b"page" + PROGRAM, [PROGRAM]) == put_page(
        again, b"page" + PROGRAM, [PROGRAM]
    )


def test_all_its_parts_are_found_by_whoever_looks_for_references():
    store = MemoryStore()
    ref = put_page(store, b"page" + PROGRAM, [PROGRAM])
    found = {found.uri for found in references({"evidently": ref.entry()})}
    assert found == {item.name for item in store.contents("objects")}


def test_a_page_of_an_earlier_version_is_read_as_it_is():
    store = MemoryStore()
    old = publish_page(store, model="sales", kind="evidently", run="r", page=b"<old>")
    assert find_page(store, model="sales", kind="evidently", run="r") == b"<old>"
    assert get_page(store, old) == get_page(store, PageRef(**old.model_dump())) == b"<old>"
    publish_kept(
        store, model="sales", kind="evidently", run="r", page=put_page(store, b"<new>", [])
    )
    assert find_page(store, model="sales", kind="evidently", run="r") == b"<new>"


def test_the_same_page_published_again_is_no_further_entry():
    store = MemoryStore()
    for _ in range(2):
        page = put_page(store, b"page" + PROGRAM, [PROGRAM])
        publish_kept(store, model="sales", kind="evidently", run="r", page=page)
    assert len(store.keys("pages/sales/evidently/r")) == 1


@pytest.mark.parametrize("part", ["page", "program"])
def test_a_part_that_is_gone_is_named(part):
    store = MemoryStore()
    ref = put_page(store, b"page" + PROGRAM, [PROGRAM])
    uri = ref.uri if part == "page" else ref.cuts[0].program.uri
    store.remove("objects", uri)
    with pytest.raises(Corrupted, match=uri):
        get_page(store, ref)


@pytest.mark.parametrize("packed", [b"no xz", lzma.compress(b"x" * 1000)[:-9], b""])
def test_what_cannot_be_unpacked_is_named(packed):
    store = MemoryStore()
    ref = store.put(packed, ".html.xz")
    with pytest.raises(Corrupted, match="no packed page"):
        get_page(store, ref)
    page = store.put(b"page", ".html")
    cut = PageRef(uri=page.uri, sha256=page.sha256, cuts=[Cut(at=2, program=ref)])
    with pytest.raises(Corrupted, match="no packed page"):
        get_page(store, cut)


def test_a_part_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr("pipelines.store.page_parts.MOST", 1_000)
    store = MemoryStore()
    with pytest.raises(Corrupted, match="no packed page"):
        get_page(store, put_page(store, b"0" * 1_001))
    assert get_page(store, put_page(store, b"0" * 1_000)) == b"0" * 1_000
