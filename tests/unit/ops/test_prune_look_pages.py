"""Evidently's pages of looks go after their time; the looks stay, and say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import Unreachable
from pipelines.incidents import close, note_check
from pipelines.intervals import Interval
from pipelines.ledger import Alert, MemoryLedger, PageRemoval, RequestConf, RetrainRequest
from pipelines.ledger.outcomes import find_removal
from pipelines.ops.prune.look_pages import NEWEST, old_look_pages
from pipelines.ops.prune.needed import needed_objects
from pipelines.ops.prune.store_leftovers import old_entries, old_objects
from pipelines.ports import Ports
from pipelines.registry.memory import MemoryRegistry
from pipelines.run_names import safe_id
from pipelines.settings import load_settings
from pipelines.store.memory import MemoryStore
from pipelines.store.page_parts import PageRef, put_page
from pipelines.store.pages import find_page, publish_kept, publish_page
from pipelines.versions.memory import MemoryVersions
from tests.buckets import bucket_store, moto
from tests.decisions import drift_check

PROGRAM = b"draw();" * 1_000
OLD = datetime.now(UTC)
"""When looks are made; what removes them lives some days later."""
WINDOW = Interval(start=datetime(2024, 1, 3, tzinfo=UTC), end=datetime(2024, 1, 4, tzinfo=UTC))


class Looks:
    """Looks of models with their pages, in any store."""

    def __init__(self, home, store) -> None:
        self.home, self.store, self.now = home, store, OLD
        self.ledger = MemoryLedger(now=lambda: self.now)
        self.ports = Ports(store, MemoryVersions(), MemoryRegistry(), self.ledger)

    def look(self, run: str, model: str = "sales", **facts):
        page = put_page(self.store, f"page of {run} of {model}".encode() + PROGRAM, [PROGRAM])
        publish_kept(self.store, model=model, kind="evidently", run=run, page=page)
        found = self.store.put(b"{}", ".json")
        check = drift_check(run=run, evidently=page, figures=found, page=found, **facts)
        return self.ledger.append(model, run, check)

    def newer(self, model: str = "sales") -> list[str]:
        """Enough looks for those before them to be none of the newest."""
        self.now += timedelta(hours=1)
        runs = [f"new {n}" for n in range(NEWEST)]
        for run in runs:
            self.look(run, model)
        return runs

    def leftovers(self, days: float = 91, **settings):
        environ = {"PERENNIAL_HOME": str(self.home)}
        environ |= {f"PERENNIAL_{k.upper()}": str(v) for k, v in settings.items()}
        self.now = OLD + timedelta(days=days)
        return list(old_look_pages(load_settings(environ), self.ports, self.now))

    def prune(self, **kwargs) -> list[str]:
        """Remove what there is; return the runs whose pages went, as the ledger says."""
        before = len(self.ledger.entries())
        for leftover in self.leftovers(**kwargs):
            assert leftover.remove()
        added = self.ledger.entries()[before:]
        return [run for entry in added for run in entry.read(PageRemoval).runs]

    def page(self, run: str, model: str = "sales"):
        return find_page(self.store, model=model, kind="evidently", run=run)


class Clocked(MemoryStore):
    """A store in memory whose clock is that of the looks."""

    def __init__(self) -> None:
        self.looks = None
        super().__init__(clock=self._read)

    def _read(self) -> float:
        return self.looks.now.timestamp()


@pytest.fixture
def looks(tmp_path):
    store = Clocked()
    store.looks = Looks(tmp_path, store)
    return store.looks


@pytest.fixture(scope="module")
def endpoint():
    with moto() as endpoint:
        yield endpoint


def test_an_old_page_goes_and_its_look_stays_and_says_so(looks):
    entry = looks.look("first")
    new = looks.newer()
    [leftover] = looks.leftovers()
    assert (leftover.kind, leftover.name) == (
        "Evidently's pages",
        "sales: 1 look, the last one first",
    )
    assert 0 < leftover.bytes < 200
    assert looks.prune() == ["first"]
    assert looks.page("first") is None
    assert [looks.page(run) is not None for run in new] == [True] * NEWEST
    assert looks.ledger.at(entry.seq) == entry
    assert looks.ledger.verify() == len(looks.ledger.entries())
    removal = find_removal(looks.ledger, "sales", "first")
    assert removal.decision.words == (
        "Evidently's pages of 1 look removed, which were older than 90 days"
    )
    assert find_removal(looks.ledger, "sales", new[0]) is None
    assert find_removal(looks.ledger, "other", "first") is None
    uris = {item.name for item in looks.store.contents("objects")}
    body = entry.decision.evidently
    assert body.uri not in uris
    assert body.cuts[0].program.uri in uris
    assert looks.leftovers() == []


def test_it_is_the_same_in_a_bucket(tmp_path, endpoint):
    with endpoint.bucket() as address:
        looks = Looks(tmp_path, bucket_store(address, tmp_path / "host"))
        body = looks.look("first").decision.evidently
        looks.newer()
        assert looks.leftovers(days=89) == []
        assert looks.prune() == ["first"]
        other = bucket_store(address, tmp_path / "another host")
        assert find_page(other, model="sales", kind="evidently", run="first") is None
        assert body.uri not in {item.name for item in other.contents("objects")}
        assert find_page(other, model="sales", kind="evidently", run="new 0")


@pytest.mark.parametrize(
    ("days", "settings", "gone"),
    [
        (91, {}, True),
        (89, {}, False),
        (8, {"evidently_days": 7}, True),
        (6, {"evidently_days": 7}, False),
        (10_000, {"evidently_days": 0}, False),
    ],
)
def test_the_setting_says_after_how_many_days(looks, days, settings, gone):
    looks.look("first")
    looks.newer()
    assert looks.prune(days=days, **settings) == (["first"] if gone else [])


def test_the_newest_of_each_model_stay_however_old_they_are(looks):
    for n in range(NEWEST + 2):
        looks.now += timedelta(hours=1)
        looks.look(f"look {n:02d}")
    looks.look("of another", "cabs")
    assert looks.prune() == ["look 00", "look 01"]


def test_a_page_stays_while_an_incident_that_leads_to_it_is_not_over(looks):
    first = looks.look("alarm", verdict="alarm")
    number = note_check(looks.ledger, "sales", first)
    looks.look("alarm again", verdict="alarm")
    looks.look("quiet", verdict="no_drift")
    looks.newer()
    assert looks.prune(days=20, evidently_days=7) == ["alarm again", "quiet"]
    close(looks.ledger, "sales", number, by="ann", reason="mended", now=looks.now)
    assert looks.prune(days=21, evidently_days=7) == ["alarm"]


def test_a_page_stays_that_an_alert_or_a_retraining_leads_to(looks):
    number = note_check(looks.ledger, "sales", looks.look("alarm", verdict="alarm"))
    alert = Alert(route="ops", state="open", incident=f"incident/{number}", title="alarm")
    looks.ledger.append("sales", f"ops/incident/{number}/open", alert)
    looks.look("asked")
    request = RetrainRequest(
        run_id="drift__sales__x",
        window=WINDOW,
        reasons=[],
        conf=RequestConf(as_of=WINDOW.end, reason=""),
        asked_by="asked",
    )
    looks.ledger.append("sales", "000001", request)
    looks.look("neither")
    looks.newer()
    close(looks.ledger, "sales", number, by="ann", reason="mended", now=looks.now)
    assert looks.prune() == ["neither"]


def test_a_page_that_was_made_again_is_as_young_as_that(looks):
    entry = looks.look("first")
    looks.newer()
    assert looks.prune() == ["first"]
    again = put_page(looks.store, b"page of first of sales" + PROGRAM, [PROGRAM])
    assert again == entry.decision.evidently
    publish_kept(looks.store, model="sales", kind="evidently", run="first", page=again)
    assert looks.page("first")
    assert looks.prune(days=100) == ["new 0"]
    assert looks.page("first")


def test_what_somebody_makes_again_between_the_list_and_the_removal_stays(looks):
    looks.look("first")
    looks.newer()
    [leftover] = looks.leftovers()
    page = put_page(looks.store, b"page of first of sales" + PROGRAM, [PROGRAM])
    looks.store.remove("entries", looks.store.keys(f"pages/sales/evidently/{safe_id('first')}")[0])
    publish_kept(looks.store, model="sales", kind="evidently", run="first", page=page)
    leftover.remove()
    assert looks.page("first")


def test_a_removal_that_was_killed_is_finished_by_the_next_one(looks):
    looks.look("first")
    looks.newer()
    [leftover] = looks.leftovers()
    remove = looks.store.remove

    def killed(kind, name, **kwargs):
        if kind == "entries":
            raise Unreachable("killed", remedy="")
        return remove(kind, name, **kwargs)

    looks.store.remove = killed
    with pytest.raises(Unreachable):
        leftover.remove()
    looks.store.remove = remove
    assert find_removal(looks.ledger, "sales", "first")
    assert looks.prune(days=92) == ["first"]
    assert looks.page("first") is None


def test_pages_of_earlier_versions_go_too_and_what_stands_for_an_erased_one_stays(looks):
    def publish(kind, run, page):
        return publish_page(looks.store, model="sales", kind=kind, run=run, page=page)

    ref = publish("evidently", "old", b"<whole>")
    whole = PageRef(**ref.model_dump())
    looks.ledger.append("sales", "old", drift_check(run="old", evidently=whole, page=ref))
    looks.look("erased")
    for kind in ("evidently", "drift"):
        erased = publish(kind, "erased", b"erased")
    looks.newer()
    assert sorted(looks.prune()) == ["erased", "old"]
    uris = {item.name for item in looks.store.contents("objects")}
    assert whole.uri not in uris
    assert erased.uri in uris, "the check's page has it too"
    assert find_page(looks.store, model="sales", kind="drift", run="erased") == b"erased"


def test_a_page_that_no_look_of_the_ledger_has_is_left_to_the_other_rules(looks):
    publish_page(looks.store, model="sales", kind="evidently", run="unknown", page=b"<x>")
    looks.newer()
    assert looks.leftovers() == []


def test_the_sweep_after_it_finds_nothing_of_the_pages_that_stay(looks):
    looks.look("first")
    looks.newer()
    looks.prune()
    settings = load_settings({"PERENNIAL_HOME": str(looks.home)})
    limit = looks.now.timestamp()
    assert list(old_entries(looks.ports, limit)) == []
    assert list(old_objects(settings, looks.ports, [], limit)) == []
    assert needed_objects(settings, looks.ports, set())


def test_hundreds_of_looks_are_few_entries(looks):
    for n in range(450):
        looks.look(f"look {n:03d}")
    looks.newer()
    assert len(looks.prune()) == 450
    assert len(looks.ledger.entries("sales", "page_removal")) == 3
