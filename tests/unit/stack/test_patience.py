"""A wait ends when its seconds are over and nothing gets on any more, and in any case some time."""

from stack.patience import MOST_TIMES, Patience


class Clock:
    """A clock that the test moves, and what gets on meanwhile."""

    def __init__(self) -> None:
        self.now = 100.0
        self.done = 0
        self.asked = 0

    def __call__(self) -> float:
        return self.now

    def progress(self) -> int:
        self.asked += 1
        return self.done

    def patience(self) -> Patience:
        return Patience(60, self.progress, quiet_seconds=10, clock=self)


def end(clock: Clock, patience: Patience, *, busy_until: float) -> float:
    """The seconds after which the wait ended, with progress in every second until `busy_until`."""
    while not patience.is_over:
        clock.now += 1
        clock.done += patience.seconds <= busy_until
    return patience.seconds


def test_what_stands_still_is_given_up_a_quiet_while_after_its_seconds():
    clock = Clock()
    assert 60 < end(clock, clock.patience(), busy_until=30) <= 72


def test_what_gets_on_is_waited_for():
    clock = Clock()
    assert 200 < end(clock, clock.patience(), busy_until=200) <= 212


def test_what_never_arrives_is_given_up_in_the_end():
    clock = Clock()
    assert end(clock, clock.patience(), busy_until=1e9) == MOST_TIMES * 60 + 1


def test_as_long_as_there_is_time_nobody_is_asked():
    clock = Clock()
    patience = clock.patience()
    clock.now += 60
    assert not patience.is_over
    assert clock.asked == 0
