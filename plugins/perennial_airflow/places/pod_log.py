"""What a pod says: both streams of its container, as the cluster keeps them, line by line."""

from __future__ import annotations

import re
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError, ReadTimeoutError

from perennial_airflow.places.cluster import CONNECT_SECONDS, named_errors, unreachable
from perennial_airflow.places.output import CHUNK, Lines
from perennial_airflow.places.pod_setup import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Callable

    from perennial_airflow.places.cluster import Cluster

STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) ?")
SILENCE_SECONDS = 15
"""How long a log may say nothing before a look whether the pod is still there."""

REACH = 2
"""Seconds before the newest line in which others may stand that were written later: the two streams
are stamped by themselves."""


class PodLog:
    """The lines of a pod's container, each once, however often the log has to be opened again.

    The cluster keeps both streams as one, and every line with its time. It reads from a second on,
    so the lines of the newest ones come again, and are left out.
    """

    def __init__(self, take_line: Callable[[str, str], None]) -> None:
        """Call `take_line("stdout", line)` for each line.

        Which stream it came from is not told. A record is known by what it is.
        """
        self._take_line = take_line
        self._seen: deque[tuple[datetime, int]] = deque()
        self._again: Counter[int] = Counter()
        self._newest: datetime | None = None

    def read(self, cluster: Cluster, name: str, *, follow: bool) -> bool:
        """Pass on what is new; tell whether the cluster sent all that there was.

        With `follow` this lasts until the container ends, or nothing has come for a while.

        Raises GiveUp or TryAgain where the log cannot be read.
        """
        self._again = Counter(key for _, key in self._seen)
        lines = Lines("stdout", self._take)
        silence = min(SILENCE_SECONDS, max(cluster.away_seconds, 1))
        with named_errors(cluster.namespace):
            response = _open(cluster, name, self._since(), silence, follow=follow)
        try:
            for data in response.stream(CHUNK):
                lines.feed(data)
        except ReadTimeoutError as error:
            if follow:
                return False  # a line that has only begun comes again
            raise unreachable(error) from error
        except HTTPError as error:
            raise unreachable(error) from error
        finally:
            response.close()
        if not follow:
            lines.close()
        return True

    def _since(self) -> str | None:
        if self._newest is None:
            return None
        return (self._newest - timedelta(seconds=REACH)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _take(self, stream: str, line: str) -> None:
        match = STAMP.match(line)
        if match is None:  # the kubelet's own words, about a log that it cannot read
            self._take_line(stream, line)
            return
        key = hash(line)
        if self._again[key] > 0:
            self._again[key] -= 1
            return
        self._remember(_second(match[1], match[2]), key)
        self._take_line(stream, line[match.end() :])

    def _remember(self, second: datetime, key: int) -> None:
        """Keep the lines that may come again."""
        self._newest = second if self._newest is None else max(self._newest, second)
        self._seen.append((second, key))
        oldest = self._newest - timedelta(seconds=REACH)
        while self._seen and self._seen[0][0] < oldest:
            self._seen.popleft()


def _second(moment: str, zone: str) -> datetime:
    return datetime.fromisoformat(moment + zone).astimezone(UTC)


def _open(cluster: Cluster, name: str, since: str | None, silence: float, *, follow: bool) -> Any:
    """Open the log; the client's own function cannot say since which moment."""
    query = [("container", CONTAINER), ("timestamps", "true")]
    query += [("follow", "true")] if follow else []
    query += [("sinceTime", since)] if since is not None else []
    return cluster.core.api_client.call_api(
        "/api/v1/namespaces/{namespace}/pods/{name}/log",
        "GET",
        {"namespace": cluster.namespace, "name": name},
        query,
        {"Accept": "*/*"},
        auth_settings=["BearerToken"],
        _preload_content=False,
        _request_timeout=(CONNECT_SECONDS, silence),
    )
