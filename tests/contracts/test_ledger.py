"""The Ledger port: what both implementations promise."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.errors import Conflict, RequestError
from pipelines.ledger import GENESIS, Crown, Head, MemoryLedger, first_break
from pipelines.ledger.sql import SqlLedger
from tests.decisions import crown, raw

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that moves on by 1.000001 s at each look."""

    def __init__(self):
        self.moment = EPOCH

    def __call__(self):
        self.moment += timedelta(seconds=1, microseconds=1)
        return self.moment


def url(folder):
    return f"sqlite:///{folder}/ledger/ledger.db"


@pytest.fixture(params=["sql", "memory"])
def ledger(request, tmp_path):
    return (
        SqlLedger(url(tmp_path), now=Clock())
        if request.param == "sql"
        else MemoryLedger(now=Clock())
    )


class TestLedger:
    def test_an_empty_ledger_is_whole(self, ledger):
        assert ledger.verify() == 0
        assert ledger.entries() == []
        assert ledger.find("m", "verdict", "k") is None
        assert ledger.champion("m") is None

    def test_entries_are_chained_from_the_first_on(self, ledger):
        first = ledger.append("m", "a", raw("verdict", {"x": 1}))
        second = ledger.append("m", "a", raw("release", {"x": 2}))
        assert (first.seq, first.previous, second.seq, second.previous) == (
            1,
            GENESIS,
            2,
            first.hash,
        )
        assert first.at == EPOCH + timedelta(seconds=1, microseconds=1)
        assert ledger.verify() == 2

    def test_the_same_key_changes_nothing(self, ledger):
        first = ledger.append("m", "a", raw("verdict", {"x": 1}))
        assert ledger.append("m", "a", raw("verdict", {"x": 2})) == first
        assert ledger.find("m", "verdict", "a") == first
        assert ledger.verify() == 1

    def test_many_are_added_at_once_in_their_order(self, ledger):
        before = ledger.append("m", "b", raw("verdict", {"x": 0}))
        decisions = [(key, raw("verdict", {"x": n})) for n, key in enumerate("abcb")]
        found = ledger.append_many("m", [*decisions, ("a", raw("release", {}))])
        assert [e.seq for e in found] == [2, 1, 3, 1, 4]
        assert found[1] == before
        assert ledger.entries() == sorted({e.seq: e for e in found}.values(), key=lambda e: e.seq)
        assert ledger.append_many("m", decisions) == found[:4]
        assert ledger.append_many("m", []) == []
        assert ledger.verify() == 4

    def test_many_are_added_all_or_none(self, ledger):
        ledger.append("m", "a", raw("verdict", {}))
        wrong = [("b", raw("verdict", {})), ("c", raw("verdict", {"x": float("nan")}))]
        with pytest.raises(RequestError, match="body"):
            ledger.append_many("m", wrong)
        assert [e.key for e in ledger.entries()] == ["a"]
        assert ledger.append("m", "d", raw("verdict", {})).seq == 2
        assert ledger.verify() == 2

    def test_a_walk_meets_every_entry(self, ledger):
        ledger.append_many("m", [(f"k{n}", raw("verdict", {"n": n})) for n in range(1_205)])
        ledger.append("n", "k", raw("verdict", {}))
        assert list(ledger.walk()) == ledger.entries()
        assert [e.seq for e in ledger.walk("m")] == list(range(1, 1_206))
        assert list(ledger.walk("nobody")) == []

    def test_a_key_counts_per_model_and_kind(self, ledger):
        for model, kind in (("m", "verdict"), ("m", "release"), ("n", "verdict")):
            ledger.append(model, "a", raw(kind, {}))
        assert ledger.verify() == 3

    def test_a_body_comes_back_as_it_reads_from_json(self, ledger):
        body = {
            "text": "ü\u0000\u2028'; DROP TABLE entries; --",
            "none": None,
            "float": 0.1,
            "big": 2**70,
            "list": (1, [True]),
            "deep": {"z": 1, "a": 2},
        }
        entry = ledger.append("m", "a", raw("verdict", body))
        assert entry.body == json.loads(json.dumps(body))
        assert ledger.find("m", "verdict", "a") == entry
        assert ledger.verify() == 1

    def test_what_a_caller_does_to_a_returned_body_changes_nothing(self, ledger):
        ledger.append("m", "a", raw("verdict", {"x": [1]})).body["x"].append(2)
        ledger.find("m", "verdict", "a").body["x"].append(2)
        ledger.entries()[0].body["x"].append(2)
        assert ledger.find("m", "verdict", "a").body == {"x": [1]}
        assert ledger.verify() == 1

    @pytest.mark.parametrize(
        "body",
        [
            {"x": float("nan")},
            {"x": float("inf")},
            {"x": datetime.now(UTC)},
            {"x": b"bytes"},
            {"x": {1, 2}},
            {"x": "\ud800"},
        ],
    )
    def test_a_body_that_is_not_plain_json_is_refused(self, ledger, body):
        with pytest.raises(RequestError, match="body"):
            ledger.append("m", "a", raw("verdict", body))
        assert ledger.verify() == 0

    @pytest.mark.parametrize(
        ("model", "kind", "key"),
        [
            ("../m", "verdict", "a"),
            ("M", "verdict", "a"),
            ("m", "gossip", "a"),
            ("m", "verdict", ""),
            ("m", "verdict", "a\x00"),
            ("m", "verdict", "x" * 513),
        ],
    )
    def test_names_of_a_wrong_form_are_refused(self, ledger, model, kind, key):
        with pytest.raises(RequestError, match="cannot be recorded"):
            ledger.append(model, key, raw(kind, {}))
        assert ledger.verify() == 0

    def test_entries_are_filtered_and_limited_to_the_newest(self, ledger):
        for n in range(6):
            ledger.append(
                "m" if n % 2 else "n", f"k{n}", raw("verdict" if n < 4 else "release", {})
            )
        assert [e.seq for e in ledger.entries()] == [1, 2, 3, 4, 5, 6]
        assert [e.seq for e in ledger.entries("m")] == [2, 4, 6]
        assert [e.seq for e in ledger.entries(kind="release")] == [5, 6]
        assert [e.seq for e in ledger.entries("m", "verdict", limit=1)] == [4]
        assert [e.seq for e in ledger.entries(limit=2)] == [5, 6]
        assert ledger.entries(limit=0) == []
        assert len(ledger.entries(limit=100)) == 6

    def test_crowning_is_compare_and_set(self, ledger):
        entry = ledger.crown("m", expected=None, champion=crown("1"), key="first")
        crowned = ledger.champion("m")
        assert (crowned.version, crowned.release, crowned.since) == ("1", 1, entry.at)
        ledger.crown("m", expected="1", champion=crown("2"), key="second")
        assert ledger.champion("m").version == "2"
        assert ledger.champion("n") is None

    def test_a_wrong_expectation_is_a_conflict_that_names_both(self, ledger):
        ledger.crown("m", expected=None, champion=crown("1"), key="first")
        with pytest.raises(Conflict, match="is 1, not 7"):
            ledger.crown("m", expected="7", champion=crown("8"), key="second")
        with pytest.raises(Conflict, match="is 1, not nobody"):
            ledger.crown("m", expected=None, champion=crown("8"), key="second")
        with pytest.raises(Conflict, match="is nobody, not 1"):
            ledger.crown("n", expected="1", champion=crown("8"), key="second")
        assert ledger.champion("m").version == "1"
        assert ledger.verify() == 1

    def test_the_same_crowning_again_is_no_conflict(self, ledger):
        first = ledger.crown("m", expected=None, champion=crown("1"), key="first")
        ledger.crown("m", expected="1", champion=crown("2"), key="second")
        assert ledger.crown("m", expected=None, champion=crown("1"), key="first") == first
        assert ledger.champion("m").version == "2"

    def test_many_threads_lose_nothing(self, ledger):
        with ThreadPoolExecutor(8) as pool:
            entries = list(
                pool.map(
                    lambda n: ledger.append("m", f"k{n // 2}", raw("verdict", {"n": n})), range(80)
                )
            )
        assert len({e.seq for e in entries}) == 40
        assert [e.seq for e in ledger.entries()] == list(range(1, 41))
        assert ledger.verify() == 40

    def test_of_many_threads_one_crowns(self, ledger):
        def attempt(n):
            try:
                return ledger.crown("m", expected=None, champion=crown(str(n)), key=f"k{n}")
            except Conflict:
                return None

        with ThreadPoolExecutor(8) as pool:
            won = [e for e in pool.map(attempt, range(16)) if e]
        assert len(won) == 1
        assert ledger.champion("m").version == won[0].read(Crown).version


class TestFirstBreak:
    def test_a_head_behind_the_entries_names_the_first_that_it_does_not_know(self):
        ledger = MemoryLedger(now=Clock())
        made = [ledger.append("m", f"k{n}", raw("verdict", {})) for n in range(3)]
        assert first_break(made, Head(seq=3, hash=made[-1].hash)) is None
        assert first_break(made, Head(seq=1, hash=made[0].hash)) == 2
        assert first_break(made[:1], Head(seq=3, hash=made[-1].hash)) == 2
        assert first_break([], Head(seq=3, hash=made[-1].hash)) == 1


class TestATurn:
    def test_one_at_a_time_has_it(self, ledger):
        with ledger.turn("alerts") as first, ledger.turn("alerts") as second:
            assert (first, second) == (True, False)
            with ledger.turn("other") as other:
                assert other
        with ledger.turn("alerts") as again:
            assert again

    def test_it_ends_with_what_was_done_in_it_however_that_ends(self, ledger):
        with pytest.raises(ZeroDivisionError), ledger.turn("alerts"):
            raise ZeroDivisionError
        with ledger.turn("alerts") as again:
            assert again


class TestAFleet:
    def test_the_newest_entries_of_many_models_are_one_question(self, ledger):
        for number in range(3):
            for model in ("sales", "cabs", "other"):
                ledger.append(model, f"k{number}", raw("drift", {"n": number}))
        ledger.append("sales", "first", crown("1"))
        found = ledger.newest(["sales", "cabs", "nobody"], ["drift", "champion"])
        assert [(e.model, e.kind, e.key) for e in found] == [
            ("sales", "drift", "k2"),
            ("cabs", "drift", "k2"),
            ("sales", "champion", "first"),
        ]
        assert ledger.newest([], ["drift"]) == ledger.newest(["sales"], []) == []

    def test_entries_from_a_moment_on_to_the_microsecond(self, ledger):
        made = [ledger.append("sales", f"k{n}", raw("drift", {"n": n})) for n in range(4)]
        ledger.append("cabs", "k", raw("drift", {}))
        ledger.append("sales", "first", crown("1"))
        assert ledger.since(["sales"], ["drift"], made[2].at) == made[2:]
        later = made[2].at + timedelta(microseconds=1)
        assert ledger.since(["sales"], ["drift"], later) == made[3:]
        assert ledger.since(["sales"], ["drift"], EPOCH) == made
