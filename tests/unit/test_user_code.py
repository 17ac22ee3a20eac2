"""The user's own code may do what it likes.

What it does is an answer in words, in time, and nothing of it stays.
"""

import os
import textwrap
import threading
import time
import uuid
from datetime import UTC, datetime

import psutil
import pyarrow as pa
import pytest

from pipelines import user_code
from pipelines.errors import SpecError, TryAgain, Unreachable
from pipelines.intervals import Interval
from pipelines.messages import ReportResult
from pipelines.step_record import record_line

DAY = Interval(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 1, 2, tzinfo=UTC))
EVENTS = pa.table({"a": pa.array([1, None, 2**53 + 1], pa.int64()), "b": ["x", "", None]})
LONG = 120
FORGED = record_line("report", ReportResult(outcome="nothing_to_do", said="forged"))


@pytest.fixture
def write(tmp_path):
    """Write a file of a model's folder and return its path."""

    def write(code: str, name: str = "source.py"):
        path = tmp_path / "models" / "sales" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(code))
        return path

    return write


def build(path, timeout=LONG):
    return user_code.call_build(path, {"events": EVENTS}, "models/sales/features.py", timeout)


def read(path, timeout=LONG, side=()):
    return user_code.call_read(path, "read", DAY, ["events", *side], timeout)


def test_tables_come_back_as_they_were_built(write):
    path = write(
        "def build(tables):\n    print('working')\n    return tables['events']", "features.py"
    )
    assert build(path) == EVENTS


def test_what_it_prints_is_passed_on_to_stderr(write, capsys):
    user_code.load(
        write("def read(start, end): ...\nprint('out')\nimport os\nos.write(2, b'err\\n')"),
        "read",
        LONG,
    )
    user_code.load(write("def read(start, end): ..."), "read", LONG)
    deadline = time.monotonic() + 30
    output = ""
    while "err" not in output and time.monotonic() < deadline:
        output += capsys.readouterr().err
    assert output.split() == ["out", "err"]


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        pytest.param(
            "import sys\nsys.exit(0)",
            SpecError,
            r"ended Python by sys.exit\(0\)\. See line 2 of source.py",
            id="sys.exit",
        ),
        pytest.param("raise SystemExit", SpecError, "ended Python by sys.exit", id="SystemExit"),
        pytest.param(
            "raise KeyboardInterrupt",
            SpecError,
            "KeyboardInterrupt. See line 1",
            id="KeyboardInterrupt",
        ),
        pytest.param(
            "print('so far', flush=True)\nimport os\nos._exit(0)",
            SpecError,
            "ended with exit code 0 before there was a result. Its last words: so far",
            id="_exit",
        ),
        pytest.param(
            "import os\nos._exit(75)",
            SpecError,
            "ended with exit code 75",
            id="_exit with a code of ours",
        ),
        pytest.param(
            "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
            SpecError,
            "ended by SIGSEGV",
            id="a crash",
        ),
        pytest.param(
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            TryAgain,
            "killed by SIGKILL: out of memory",
            id="killed",
        ),
        pytest.param(
            "import os\nos.closerange(3, 1 << 16)",
            SpecError,
            "before there was a result",
            id="everything closed",
        ),
        pytest.param("x =", SpecError, "SyntaxError", id="no Python"),
        pytest.param("import nowhere", SpecError, "nowhere", id="an import that is not there"),
        pytest.param(
            "class E(Exception):\n    def __str__(self):\n        raise self\nraise E",
            SpecError,
            "source.py",
            id="no text",
        ),
        pytest.param("read = 3", SpecError, "has no function 'read'", id="no function"),
    ],
)
def test_however_it_ends_it_is_said_in_words(write, code, kind, words):
    with pytest.raises(kind, match=words):
        user_code.load(write(code), "read", LONG)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            "import sys, os\nsys.stdout.close()\nos.close(1)\nos.close(2)", id="closed streams"
        ),
        pytest.param("import os\nos.fork()", id="a fork that goes on"),
        pytest.param(
            f"print({FORGED!r})",
            id="a forged record",
        ),
    ],
)
def test_what_does_no_harm_is_let_be(write, code, capsys):
    user_code.load(write(f"{code}\ndef read(start, end): ..."), "read", LONG)
    user_code.load(write("def read(start, end): ..."), "read", LONG)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import re\nre.match('(a+)+b', 'a' * 60)", id="it holds the interpreter"),
        pytest.param(
            "import signal, time\nfor n in (1, 2, 15):\n    signal.signal(n,"
            " signal.SIG_IGN)\ntime.sleep(600)",
            id="it ignores signals",
        ),
        pytest.param(
            "import subprocess\nsubprocess.run(['sleep', '600'])", id="it waits for another"
        ),
        pytest.param(
            "import os, time\nif os.fork() == 0:\n    os.setsid()\ntime.sleep(600)",
            id="it has left its group",
        ),
    ],
)
def test_what_takes_too_long_is_ended_with_all_that_it_started(write, code, monkeypatch):
    mark = f"PERENNIAL_TEST_MARK={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    with pytest.raises(
        SpecError, match=r"took longer than 2 s and was ended.*PERENNIAL_USER_CODE_TIMEOUT_SECONDS"
    ):
        user_code.load(write(code), "read", 2)
    _, alive = psutil.wait_procs(processes_with(mark), timeout=30)
    assert alive == []


def processes_with(mark: str) -> list[psutil.Process]:
    """Return the processes whose environment has the mark, whoever their parent is by now.

    A process shows the environment that it was started with: this one is not among them.
    """
    return [process for process in psutil.process_iter() if mark in environment_of(process)]


def environment_of(process: psutil.Process) -> set[str]:
    """Return `NAME=value` of each variable; none of a process that has ended."""
    try:
        return {f"{name}={value}" for name, value in process.environ().items()}
    except psutil.Error:
        return set()


def test_a_source_that_takes_too_long_may_be_tried_again(write):
    path = write("import time\ndef read(start, end):\n    time.sleep(600)")
    user_code.load(path, "read", LONG)
    with pytest.raises(Unreachable, match="read took longer than 2 s"):
        read(path, timeout=2)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        pytest.param("raise OSError('gone')", Unreachable, "OSError: gone. See line 2", id="away"),
        pytest.param(
            "raise ValueError('odd')",
            SpecError,
            "ValueError: odd. See line 2 of source.py",
            id="an error",
        ),
        pytest.param(
            "return {'other': 1}",
            SpecError,
            r"returned the tables \['other'\], the spec names \['events'\]",
            id="other tables",
        ),
        pytest.param("return 5", SpecError, "models/sales/source.py", id="no table"),
    ],
)
def test_what_a_source_raises_is_named(write, body, kind, words):
    with pytest.raises(kind, match=words):
        read(write(f"def read(start, end):\n    {body}"))


def test_data_that_cannot_be_parsed_are_a_problem_of_their_batch(write):
    path = write(
        "import io, pandas\ndef read(start, end):\n    return pandas.read_csv(io.StringIO(''))"
    )
    assert read(path) == (
        {},
        "models/sales/source.py: EmptyDataError: No columns to parse from file",
    )


def test_a_file_is_loaded_once_for_each_content_and_sees_the_environment_of_now(write, monkeypatch):
    code = """
    import os, pyarrow
    calls = []
    def read(start, end):
        calls.append(os.environ.get('SHOP'))
        return pyarrow.table({'a': calls})
    """
    assert read(write(code))[0]["events"]["a"].to_pylist() == [None]
    monkeypatch.setenv("SHOP", "two")
    assert read(write(code))[0]["events"]["a"].to_pylist() == [None, "two"]
    assert read(write(code + "\n"))[0]["events"]["a"].to_pylist() == ["two"]


def test_the_users_code_never_sees_the_key_that_signs_bundles(write, monkeypatch):
    code = """
    import os, pyarrow
    def read(start, end):
        return pyarrow.table({'a': [os.environ.get(n) for n in ('SHOP', 'PERENNIAL_SIGNING_KEY')]})
    """
    monkeypatch.setenv("SHOP", "one")
    monkeypatch.setenv("PERENNIAL_SIGNING_KEY", "secret")
    results = []
    asker = threading.Thread(target=lambda: results.append(read(write(code))))  # with a new child
    asker.start()
    asker.join()
    assert results[0][0]["events"]["a"].to_pylist() == ["one", None]


def test_threads_have_children_of_their_own(write):
    path = write(
        "import os, pyarrow\ndef read(start, end):\n    return pyarrow.table({'pid':"
        " [os.getpid()]})"
    )
    pids = []
    threads = [
        threading.Thread(target=lambda: pids.append(read(path)[0]["events"]["pid"][0].as_py()))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*pids, os.getpid()}) == 3
