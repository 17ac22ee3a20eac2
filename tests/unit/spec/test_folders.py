"""How long a folder takes by itself, on a machine that others use."""

import time

from pipelines.spec.folders import Stopwatch


def test_the_time_in_which_others_had_the_processors_does_not_count():
    now, wait = iter([100.0, 109.0]), iter([3.0, 10.0])
    watch = Stopwatch(now=lambda: next(now), wait=lambda: next(wait))
    assert watch.seconds == 2.0


def test_a_wait_for_a_disk_counts():
    watch = Stopwatch()
    time.sleep(0.2)
    assert watch.seconds > 0.15
