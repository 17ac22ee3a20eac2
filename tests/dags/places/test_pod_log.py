"""The lines of a pod, each once, however often its log is opened again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from perennial_airflow.places.pod_log import PodLog
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from pipelines.errors import Unreachable


class Response:
    def __init__(self, pieces):
        self.pieces = pieces
        self.is_closed = False

    def stream(self, _):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self):
        self.is_closed = True


class FakeCluster:
    """A cluster whose log is opened once for each list of pieces."""

    namespace, away_seconds = "demo", 10.0

    def __init__(self, *answers):
        self.answers = [Response(pieces) for pieces in answers]
        self.asked = []
        self.core = SimpleNamespace(api_client=self)

    def call_api(self, _path, _method, _where, query, *_, **__):
        self.asked.append(dict(query))
        return self.answers[len(self.asked) - 1]


def line(second: float, text: str) -> bytes:
    return f"2024-05-01T12:00:{second:012.9f}Z {text}\n".encode()


SILENCE = ReadTimeoutError(None, "/", "silence")


def heard(cluster, follows):
    said = []
    log = PodLog(lambda _, text: said.append(text))
    for follow in follows:
        log.read(cluster, "p", follow=follow)
    return said


def test_lines_come_without_their_time_and_torn_pieces_are_put_together():
    whole = line(1, "one") + line(2, "two")
    cluster = FakeCluster([whole[:40], whole[40:50], whole[50:]])
    assert heard(cluster, [True]) == ["one", "two"]
    assert cluster.asked == [{"container": "step", "timestamps": "true", "follow": "true"}]
    assert cluster.answers[0].is_closed


def test_what_comes_again_is_left_out_and_what_was_not_whole_is_not_lost():
    first, second = line(5, "one"), line(6, "two")
    cluster = FakeCluster([first, second[:-8], SILENCE], [first, second, line(7, "three")])
    assert heard(cluster, [True, False]) == ["one", "two", "three"]
    assert cluster.asked[1]["sinceTime"] == "2024-05-01T12:00:03Z"


def test_equal_lines_of_one_moment_are_as_many_as_the_pod_said():
    twice = line(5, "same") * 2
    cluster = FakeCluster([twice, SILENCE], [twice + line(5, "same")])
    assert heard(cluster, [True, False]) == ["same"] * 3


def test_a_line_that_is_written_late_with_an_earlier_time_is_not_taken_for_an_old_one():
    cluster = FakeCluster([line(5, "a"), SILENCE], [line(5, "a") + line(4.5, "late")])
    assert heard(cluster, [True, False]) == ["a", "late"]


def test_a_last_line_without_an_end_is_passed_on_when_the_pod_has_ended():
    cluster = FakeCluster([line(5, "end")[:-1]])
    assert heard(cluster, [False]) == ["end"]


def test_the_nodes_own_words_are_passed_on():
    assert heard(FakeCluster([b"unable to retrieve logs"]), [False]) == ["unable to retrieve logs"]


@pytest.mark.parametrize("follow", [True, False])
def test_a_connection_that_breaks_is_told(follow):
    cluster = FakeCluster([line(1, "one"), ProtocolError("broken")])
    with pytest.raises(Unreachable, match="broken"):
        heard(cluster, [follow])


def test_silence_is_no_error_while_a_pod_is_followed_and_one_when_it_has_ended():
    assert PodLog(print).read(FakeCluster([SILENCE]), "p", follow=True) is False
    with pytest.raises(Unreachable):
        PodLog(print).read(FakeCluster([SILENCE]), "p", follow=False)
