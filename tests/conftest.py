"""Fixtures that every tier shares."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.collector import paused_collection
from pipelines.settings import quiet
from tests.worlds import World, make_world

if TYPE_CHECKING:
    from collections.abc import Generator

quiet()
# As the steps hold it, for fits outside of a step too: on shared cores, threads that wait spin.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_pool, "1")
ROOT = Path(__file__).resolve().parents[1]

FIXTURES_SECONDS = 1800
"""For what a test needs before and after.

The first of many brings up a whole stack, which waits by its own measure. A test's own time-out
(pyproject.toml) counts its function alone.
"""


@contextlib.contextmanager
def _at_most(seconds: float, what: str) -> Generator[None]:
    """Fail what takes longer.

    The timer is the one that pytest-timeout uses, and is not set while it does.
    """

    def fail(*_: object) -> None:
        pytest.fail(f"{what} took longer than {seconds:.0f} s.")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Load the tests without looking for garbage: they, and what they import, stay to the end."""
    with paused_collection(for_good=True):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Bound what the fixtures of a test take."""
    with _at_most(FIXTURES_SECONDS, f"What {item.name} needs"):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Bound what the end of a test takes."""
    with _at_most(FIXTURES_SECONDS, f"The end of {item.name}"):
        return (yield)


SLOW_SECONDS = 900
"""For a test that starts servers or processes.

What it waits for has limits of its own, which know a slow machine from a broken one.
"""


RERUNS = 1
"""Of a test with servers or containers; see docs/decisions/0099. Others fail at once."""


HEAVY = (
    "tests/benchmarks/",
    "tests/cli/",
    "tests/contracts/test_registry",
    "tests/contracts/test_versions",
    "tests/serving/test_hostile",
    "tests/unit/bundle/test_trusted",
    "tests/unit/data/",
    "tests/unit/door/test_keeper",
    "tests/unit/environments/",
    "tests/unit/judging/",
    "tests/unit/models/",
    "tests/unit/ops/",
    "tests/unit/sources/test_reader_process",
    "tests/unit/steps/",
    "tests/unit/test_state_of_version_0",
    "tests/unit/test_user_code",
    "tests/unit/watch/",
)
"""Rooms and files whose tests run whole steps, train, or start processes."""


LONGEST = ("tests/spark/", "unit/rebuilding/", "unit/replay/", "cli/test_walkthrough")
"""Rooms and files that one worker is busy with for minutes, and that compute, while those with
servers and containers wait: where one of them came last, the other workers would wait for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits longest, so that the workers end together; give slow tests time."""
    for item in items:
        if item.nodeid.startswith(HEAVY):
            item.add_marker(pytest.mark.heavy)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))
        if item.get_closest_marker("slow") or item.get_closest_marker("engine"):
            item.add_marker(pytest.mark.flaky(reruns=RERUNS))
    rooms = ("docker/test_compose", "/e2e/", *LONGEST, "/docker/", "/stack/", *HEAVY)
    items.sort(
        key=lambda item: (
            next((i for i, room in enumerate(rooms) if room in item.path.as_posix()), len(rooms)),
            "e2e/test_end" in item.path.as_posix(),  # it ends the stack that the others use
        )
    )


TOGETHER = (
    "tests/e2e/",
    "docker/test_compose",
    "contracts/test_sql_",
    "tests/spark/",
    "unit/ops/",
    "unit/rebuilding/",
    "unit/replay/",
    "unit/steps/test_drift",
)
"""Rooms and files that share, beyond a file, what takes long to make: one worker has them all."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give all tests that share one stack, one gateway or the same databases to one worker.

    So too the tests of one file: each worker that has one of them makes what the file shares. xdist
    3.8's own mark for that does nothing with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneStack(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", maxsplit=1)[0]
            return next((room for room in TOGETHER if room in file), file)

    return OneStack(config, log)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A small model with a week of data."""
    return make_world(tmp_path / "home")


@pytest.fixture
def real_data() -> Path:
    """The folder of the real data sets; tests that need one skip where it is absent."""
    folder = Path(os.environ.get("PERENNIAL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(
            f"the real data sets are not here ({folder}); set PERENNIAL_DATA to their folder"
        )
    return folder


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the shell that started it."""
    ours = ("PERENNIAL_", "AWS_", "AZURE_", "GOOGLE_")
    for name in [n for n in os.environ if n.startswith(ours) and n != "PERENNIAL_DATA"]:
        monkeypatch.delenv(name)
