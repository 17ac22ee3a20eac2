"""Records and processes: who is ours, who is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipelines.errors import Busy
from pipelines.settings import load_settings
from stack import control
from stack.environment import MARK
from stack.layout import Layout
from stack.processes import PROGRAM, end, leftovers_of, stack_processes
from stack.record import LONGEST_SOCKET, Record, forget, make_socket_path, read_record, write_record

ROOT = Path(__file__).resolve().parents[3]


def layout(folder: Path) -> Layout:
    made = Layout(load_settings({"PERENNIAL_STATE": str(folder)}))
    made.run.mkdir(parents=True)
    return made


@pytest.fixture
def start(tmp_path):
    """Start a process of the stack whose state folder is `tmp_path`."""
    started: list[subprocess.Popen] = []

    def begin(name: str, code: str = "", *, state: str = str(tmp_path)) -> subprocess.Popen:
        text = f"import subprocess, sys, time\n{code}\nprint('ready', flush=True)\ntime.sleep(600)"
        environ = {**os.environ, MARK: state, PROGRAM: name}
        process = subprocess.Popen(
            [sys.executable, "-c", text], env=environ, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        started.append(process)
        return process

    yield begin
    for process in started:
        for child in (
            psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        ):
            child.kill()
        process.kill()
        process.wait()
        process.stdout.close()


def test_only_this_stacks_processes_are_its_own(start, tmp_path):
    ours, theirs = start("mlflow"), start("mlflow", state=str(tmp_path / "other"))
    found = {process.pid: name for process, name in stack_processes(str(tmp_path)).items()}
    assert found == {ours.pid: "mlflow"}
    end(stack_processes(str(tmp_path)), grace_seconds=10)
    assert ours.poll() is not None
    assert theirs.poll() is None


def test_what_ignores_the_polite_signal_is_killed(start, tmp_path):
    stubborn = start("serving", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    end(stack_processes(str(tmp_path)), grace_seconds=0.3)
    assert stubborn.poll() is not None


def test_a_busy_worker_of_a_killed_scheduler_is_spared_and_an_idle_one_is_not(start, tmp_path):
    idle = start("scheduler")
    busy = start("scheduler", "subprocess.Popen(['sleep', '600'])")
    assert [process.pid for process in leftovers_of(str(tmp_path), "scheduler")] == [idle.pid]
    assert busy.poll() is None


def test_whatever_another_killed_program_left_goes(start, tmp_path):
    left = {start("mlflow").pid, start("mlflow").pid}
    start("serving")
    assert {process.pid for process in leftovers_of(str(tmp_path), "mlflow")} == left


def test_a_record_of_a_process_whose_id_was_used_again_is_known_as_stale(tmp_path):
    here = psutil.Process()
    alive = Record(pid=here.pid, created=here.create_time(), socket=tmp_path / "s")
    assert alive.process is not None
    assert alive.model_copy(update={"created": here.create_time() - 1}).process is None


def test_a_broken_record_is_no_record(tmp_path):
    here = layout(tmp_path)
    assert read_record(here) is None
    (here.run / "supervisord.json").write_text("{torn")
    assert read_record(here) is None


def test_the_socket_lies_in_a_short_folder_where_the_state_lies_deep(tmp_path):
    deep = layout(tmp_path / ("d" * 60) / ("e" * 60))
    path = make_socket_path(deep)
    assert len(str(path)) <= LONGEST_SOCKET
    assert path.parent.stat().st_mode & 0o077 == 0
    write_record(deep, Record(pid=1, created=0.0, socket=path))
    forget(deep)
    assert not path.parent.exists()
    assert read_record(deep) is None


def test_the_socket_lies_with_the_state_where_that_is_short_enough(tmp_path):
    here = layout(tmp_path)
    if len(str(here.run)) < 70:
        assert make_socket_path(here).parent == here.run


def test_two_ups_at_once_do_not_cross(tmp_path):
    import filelock

    here = layout(tmp_path)
    with filelock.FileLock(here.run / "lock"), pytest.raises(Busy, match="Another"):
        control.down(here, say=lambda _: None)


def test_down_of_a_stack_that_never_ran_says_so(tmp_path):
    assert control.down(layout(tmp_path), say=lambda _: None) is False


def test_down_ends_what_a_killed_supervisord_left(start, tmp_path):
    left = start("scheduler")
    said: list[str] = []
    assert control.down(layout(tmp_path), say=said.append) is True
    assert left.poll() is not None
    assert stack_processes(str(tmp_path)) == {}


def test_the_end_of_a_log_is_shown_and_a_missing_one_is_told(tmp_path):
    (tmp_path / "a.log").write_text("\n".join(str(number) for number in range(10_000)))
    assert control.tail(tmp_path / "a.log", 2) == "9998\n9999"
    assert "there is no" in control.tail(tmp_path / "none.log")


def test_the_guard_ends_everything_when_its_supervisord_is_killed(start, tmp_path):
    ours, theirs = start("scheduler"), start("scheduler", state=str(tmp_path / "other"))
    guard = (
        f"subprocess.Popen([sys.executable, '-m', 'stack.guard', {str(tmp_path)!r},"
        f" {str(tmp_path / 'pid')!r}], cwd={str(ROOT)!r})"
    )
    write = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid()))"
    supervisord = start("", f"{write}\n{guard}", state="")
    supervisord.kill()
    assert ours.wait(60) == -15
    assert theirs.poll() is None
