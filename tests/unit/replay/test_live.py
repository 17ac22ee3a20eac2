"""What contenders do before each batch: asked of somebody who answers without training anything."""

from __future__ import annotations

import pytest

from pipelines.errors import BadData
from pipelines.intervals import Interval
from pipelines.refs import Ref
from pipelines.replay.answers import Judge, LookBack, Make, Probe
from pipelines.replay.contenders import DEFAULT, NEVER, Contender, schedule
from pipelines.replay.judging import ReplayVerdict
from pipelines.replay.live import live_through
from pipelines.replay.looking import Look
from pipelines.replay.probing import ProbedGain
from pipelines.replay.versions import Version
from pipelines.spec.retrain import Retrain
from tests.unit.replay.conftest import day

DAYS = [Interval(start=day(n), end=day(n + 1)) for n in range(8)]
BUNDLE = Ref(uri="objects/aa/" + "0" * 64, sha256="0" * 64)


class Somebody:
    """Answers by what a test says: refused and failed moments, verdicts of windows by their end."""

    def __init__(self, *, refused=(), failed=(), looks=None, worse=(), gains=None, told=None):
        self.refused, self.failed, self.worse = refused, failed, worse
        self.gains = gains or {}
        self.looks = looks or {}
        self.told = told or {}
        self.asked = []

    def __call__(self, questions):
        self.asked += questions
        return [self.answer(question) for question in questions]

    def answer(self, question):
        match question:
            case Make(moment):
                if moment in self.failed:
                    return Version(key="", moment=moment, why_none="no rows")
                return Version(key=str(moment), moment=moment, bundle=BUNDLE, seconds=2)
            case Judge(challenger, _, gate, _):
                ok = gate == "none" or challenger.moment not in self.refused
                reasons = [] if ok else ["it is worse"]
                return ReplayVerdict(is_promoted=ok, reasons=reasons, seconds=1)
            case LookBack(_, moment):
                verdict = self.looks.get(moment, "no_drift")
                told = self.told.get(moment, {})
                return Look(verdict=verdict, worse=moment in self.worse, rows=100, **told)
            case Probe(_, moment):
                return ProbedGain(expected=self.gains.get(moment), why="too few days", seconds=1)


class Together(Somebody):
    """Remembers which questions were asked together."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = []

    def __call__(self, questions):
        self.calls.append(list(questions))
        return super().__call__(questions)


def lived(contender, somebody=None, **options):
    (life,) = live_through([contender], DAYS, somebody or Somebody(), **options)
    return life


def retrained(life):
    """The days before which it retrained, by their number."""
    return [n for n, event in enumerate(life.events) if event.retrained]


def by(**fields):
    return Contender("tried", policy=Retrain.model_validate(fields))


def test_never_keeps_the_first_version_and_counting_counts():
    assert retrained(lived(NEVER)) == []
    assert retrained(lived(DEFAULT)) == [1, 2, 3, 4, 5, 6, 7]
    assert retrained(lived(schedule(3))) == [3, 6]


def test_verdicts_are_asked_for_side_by_side_as_if_each_challenger_took_over():
    somebody = Together(refused=[day(3)], failed=[day(5)])
    life = lived(DEFAULT, somebody)
    ahead = next(c for c in somebody.calls if any(isinstance(q, Judge) for q in c))
    pairs = [(q.challenger.moment, q.champion.moment) for q in ahead]
    assert pairs == [(day(n), day(n - 1)) for n in (1, 2, 3, 4)] + [
        (day(6), day(4)),
        (day(7), day(6)),
    ]
    # One was refused, so that the next one met another champion.
    assert [e.served.moment for e in life.events] == [day(n) for n in (0, 1, 2, 2, 4, 4, 6, 7)]
    asked = [(q.challenger.moment, q.champion.moment) for c in somebody.calls for q in c
             if isinstance(q, Judge)]  # fmt: skip
    assert (day(4), day(2)) in asked


def test_who_does_not_go_by_windows_does_not_look_unless_it_is_asked():
    somebody = Somebody(looks={day(2): "alarm"})
    life = lived(DEFAULT, somebody)
    assert not [q for q in somebody.asked if isinstance(q, LookBack)]
    life = lived(DEFAULT, somebody, all_look=True)
    assert [event.verdict for event in life.events][:3] == ["", "no_drift", "alarm"]
    assert retrained(life) == [1, 2, 3, 4, 5, 6, 7]


def test_a_refused_challenger_does_not_serve_and_one_that_cannot_be_made_is_said():
    life = lived(DEFAULT, Somebody(refused=(day(1),), failed=(day(2),)))
    served = [event.served.moment for event in life.events]
    assert served[:4] == [day(0), day(0), day(0), day(3)]
    assert life.events[1].refused == "it is worse"
    assert life.events[2].failed == "no rows"
    assert [event.seconds for event in life.events][:3] == [0, 3, 0]


def test_a_change_retrains_once_within_the_cooldown_and_a_broken_window_never_does():
    drifts = dict.fromkeys((day(2), day(3), day(6)), "drift") | {day(5): "alarm"}
    life = lived(by(by="change", cooldown="3d"), Somebody(looks=drifts))
    assert retrained(life) == [2, 6]
    assert "cooldown" in life.events[3].why
    assert life.events[5].verdict == "alarm"
    assert not life.events[5].retrained


def test_performance_and_a_stop_after_refusals():
    worse = tuple(day(n) for n in range(1, 8))
    policy = by(by="performance", stop_after_refused=2, stop_for="30d")
    life = lived(policy, Somebody(worse=worse, refused=worse))
    assert retrained(life) == [1, 2]
    assert "refused in a row" in life.events[3].why
    assert retrained(lived(policy, Somebody(worse=worse))) == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_worth_its_cost_is_retrained_and_what_cannot_be_told_is_not():
    policy = by(by="value", cost=500, pays_within="10d")  # 100 rows a day: 1,000 rows to come
    life = lived(policy, Somebody(gains={day(2): 0.4, day(4): 0.6}))
    assert retrained(life) == [4]
    assert "more than a retraining costs" in life.events[4].why
    assert "too few days" in life.events[3].why
    assert [event.seconds for event in life.events][:5] == [0, 1, 1, 1, 4]


def test_a_schedule_is_due_by_what_was_learnt_last():
    life = lived(by(by="schedule", schedule="0 0 */3 * *"))  # days 1, 4, 7 of the month
    assert [DAYS[n].start.day for n in retrained(life)] == [4, 7]


def test_a_clock_of_the_spec_starts_it_beside_the_policy():
    life = lived(Contender("own", policy=Retrain(by="never"), clock="0 0 5 * *"))
    assert [DAYS[n].start.day for n in retrained(life)] == [5]


def test_a_policy_knows_nothing_of_the_batch_that_comes():
    drifts = {day(3): "drift"}
    somebody = Somebody(looks=drifts)
    life = lived(by(by="change"), somebody)
    assert retrained(life) == [3]
    assert all(q.moment <= DAYS[-1].start for q in somebody.asked if isinstance(q, LookBack))


def test_what_starts_a_retraining_is_what_the_gate_is_told():
    drifts = {day(3): "drift"}
    for contender, cause in ((DEFAULT, "schedule"), (by(by="change"), "change")):
        somebody = Somebody(looks=drifts)
        lived(contender, somebody)
        causes = {q.cause for q in somebody.asked if isinstance(q, Judge)}
        assert causes == {cause}


def test_versions_are_asked_for_together():
    somebody = Together()
    live_through([NEVER, DEFAULT], DAYS, somebody)
    assert somebody.calls[0] == [Make(day(n)) for n in range(8)]


def test_without_a_first_version_there_is_no_replay():
    with pytest.raises(BadData, match="No version can be made at 2024-01-01") as error:
        lived(NEVER, Somebody(failed=(DAYS[0].start,)))
    assert "--from" in error.value.remedy


def test_a_look_tells_the_policy_what_may_be_broken_and_what_follows():
    sign = {"broken": "a pipe is broken upstream (likely: values missing)"}
    calm = {"follows": "nothing_follows"}
    looks = {day(n): "drift" for n in range(1, 5)}
    somebody = Somebody(looks=looks, told={day(1): sign, day(2): calm, day(3): {}})
    life = lived(by(by="change", cooldown="0s"), somebody)
    assert retrained(life) == [3, 4]
    assert life.events[1].why.startswith(sign["broken"])
    assert life.events[2].why == "it has changed, and nothing follows from it"
