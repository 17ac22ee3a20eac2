"""A step's process: its lines, its end, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from perennial_airflow.places.output import LONGEST_LINE
from perennial_airflow.places.process import Process

ROOT = Path(__file__).resolve().parents[3]
WAIT = 20
"""Seconds that a test is willing to wait for a process to vanish; it takes milliseconds."""


def run(place: Process, request: str = "{}") -> tuple[int, list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []
    with place.start("train", "demo", request) as running:
        code = running.follow(lambda stream, line: heard.append((stream, line)))
    return code, heard


def gone(pid: int) -> bool:
    """Wait until the process is no more (a zombie that nobody collects is no process any more)."""
    try:
        process = psutil.Process(pid)
        process.wait(WAIT) if process.ppid() == os.getpid() else None
        for _ in range(WAIT * 20):
            if process.status() == psutil.STATUS_ZOMBIE or not process.is_running():
                return True
            psutil.wait_procs([process], timeout=0.05)
    except psutil.NoSuchProcess:
        return True
    return False


def test_both_streams_are_heard_line_by_line_and_the_exit_code_is_the_steps_own(command):
    code, heard = run(
        Process(command('say("one"); print("two"); say("three without end"); sys.exit(7)'))
    )
    assert code == 7
    assert [line for stream, line in heard if stream == "stderr"] == ["one", "three without end"]
    assert [line for stream, line in heard if stream == "stdout"] == ["two"]


def test_the_request_arrives_as_it_was_sent_whatever_stands_in_it(command):
    hostile = '{"a": "x; id > f `id` $(id) {{ 7 * 7 }} \\u0000 \\"\\n"}'
    code, heard = run(Process(command("print(sys.argv[1:4], sys.argv[5])")), hostile)
    assert (code, heard) == (0, [("stdout", f"['train', '--model', 'demo'] {hostile}")])


def test_a_step_gives_way_to_what_answers_people(command):
    _, heard = run(Process(command("print(os.getpriority(os.PRIO_PROCESS, 0))")))
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert [int(line) for stream, line in heard if stream == "stdout"] == [min(own + 5, 19)]


def test_an_endless_line_is_cut_and_takes_no_memory(command):
    _, heard = run(Process(command(f'sys.stdout.write("x" * {3 * LONGEST_LINE} + "\\nshort\\n")')))
    assert [len(line) for _, line in heard] == [LONGEST_LINE, 5]


def test_bytes_that_are_no_text_do_not_stop_the_reading(command):
    _, heard = run(Process(command('sys.stdout.buffer.write(b"\\xff\\xfe\\nnext\\n")')))
    assert heard[-1] == ("stdout", "next")


def test_a_grandchild_that_holds_the_pipes_does_not_hold_the_task_and_is_ended_with_it(command):
    place = Process(command('child = subprocess.Popen(["sleep", "600"]); print(child.pid)'))
    code, heard = run(place)
    assert code == 0
    assert gone(int(heard[0][1]))


def test_a_killed_step_is_told_by_its_signal(command):
    code, _ = run(Process(command("os.kill(os.getpid(), signal.SIGKILL)")))
    assert code == -signal.SIGKILL


def test_stopping_asks_first_and_kills_the_whole_group_of_a_step_that_does_not_listen(command):
    code = """
    signal.signal(signal.SIGTERM, lambda *_: say("not now"))
    child = subprocess.Popen(["sleep", "600"])
    say(str(child.pid))
    while True: time.sleep(0.1)
    """
    heard: list[str] = []
    with Process(command(code), grace_seconds=0.5).start("train", "demo", "{}") as running:

        def hear(_: str, line: str) -> None:
            heard.append(line)
            if len(heard) == 1:
                running.stop()

        assert running.follow(hear) == -signal.SIGKILL
    assert heard[1] == "not now"
    assert gone(int(heard[0]))


def test_what_goes_wrong_while_a_step_is_followed_ends_the_step(command):
    """Airflow's timeout is an exception in the middle of `follow`."""
    pids: list[int] = []

    def time_out(_: str, line: str) -> None:
        pids.append(int(line))
        raise TimeoutError

    place = Process(command("say(str(os.getpid()))\ntime.sleep(600)"), grace_seconds=0.5)
    with pytest.raises(TimeoutError), place.start("train", "demo", "{}") as running:
        running.follow(time_out)
    assert gone(pids[0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's promise is Linux's")
def test_killing_the_process_that_started_a_step_takes_the_step_with_it(command, tmp_path):
    steps = command("say(str(os.getpid()))\ntime.sleep(600)")
    parent = tmp_path / "parent.py"
    parent.write_text(
        "from perennial_airflow.places.process import Process\n"
        f"with Process({steps!r}).start('train', 'demo', '{{}}') as running:\n"
        "    running.follow(lambda _, line: print(line, flush=True))\n"
    )
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    with subprocess.Popen(
        [sys.executable, str(parent)], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        step = int(process.stdout.readline())
        process.kill()
    assert gone(step)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's promise is Linux's")
def test_killing_the_supervisor_of_a_task_takes_the_task_and_its_step_with_it(command, tmp_path):
    """The supervisor is Airflow's worker; its child, the task, runs the operator.

    The step is the child of that.
    """
    steps = command("say(f'{os.getpid()} {os.getppid()}')\ntime.sleep(600)")
    task = tmp_path / "task.py"
    task.write_text(
        "from perennial_airflow.places.process import Process\n"
        "from pipelines.die_with_parent import dying_with_parent\n"
        f"with dying_with_parent(), Process({steps!r}).start('train', 'demo', '{{}}') as running:\n"
        "    running.follow(lambda _, line: print(line, flush=True))\n"
    )
    supervisor = tmp_path / "supervisor.py"
    supervisor.write_text("import subprocess, sys\nsubprocess.run([sys.executable, sys.argv[1]])\n")
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    with subprocess.Popen(
        [sys.executable, str(supervisor), str(task)], env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        step, runner = map(int, process.stdout.readline().split())
        process.kill()
    assert gone(runner)
    assert gone(step)
