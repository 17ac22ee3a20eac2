"""Steps in containers of a real engine.

What comes back, what is refused in words, and that nothing is left behind.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import signal
import tarfile
import tempfile
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

_home = tempfile.TemporaryDirectory(prefix="perennial-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _home.name)  # Airflow reads it when it is first imported

from airflow.sdk.exceptions import AirflowException, AirflowFailException  # noqa: E402
from perennial_airflow.places.docker import DockerStepOperator, container_name  # noqa: E402

from pipelines.settings import load_settings  # noqa: E402

pytestmark = pytest.mark.engine

STEP = b"""
import json, os, signal, subprocess, sys, threading, time
step, model, request = sys.argv[1], sys.argv[3], json.loads(sys.argv[5])
def record(result, step=step):
    print(json.dumps({"perennial_record": 1, "step": step, "result": result}), flush=True)
def say(text):
    print(text, file=sys.stderr, flush=True)
exec(request.get("code") or "record({'request': request, 'model': model})")
"""
HOSTILE = {
    "name": "x; touch /state/owned",
    "as_of": "{{ 7 * 7 }}",
    "reason": "$(id) `id` 'a' \"b\" \n --privileged",
    "deep": [{"a": None}],
}
HOSTILE_RUN = 'by hand "; touch /state/owned; $(id) {{ 7 * 7 }} ../../x\n,perennial.kind=release'
WHILE_AT_WORK = "say('at work')\ntime.sleep(600)"


@pytest.fixture(scope="module")
def image(engine):
    """An image whose entry point runs the Python code that its request holds."""
    tags = {tag for image in engine.images() for tag in image["RepoTags"] or []}
    base = next(
        (tag for tag in ("python-base:local", "perennial/steps:latest") if tag in tags), None
    )
    if base is None:
        pytest.skip("neither python-base:local nor perennial/steps:latest is here (make images)")
    files = {
        "Dockerfile": (
            f"FROM {base}\nCOPY step.py /step.py\n".encode()
            + b'ENTRYPOINT ["python3", "-u", "/step.py"]\n'
        ),
        "step.py": STEP,
    }
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    context.seek(0)
    tag = f"perennial-test/step:{os.getpid()}"
    said = list(
        engine.build(
            fileobj=context, custom_context=True, tag=tag, rm=True, pull=False, decode=True
        )
    )
    assert any(tag in line.get("stream", "") for line in said), said
    yield tag
    engine.remove_image(tag, force=True)


@pytest.fixture
def settings(image, tmp_path):
    return load_settings(
        {
            "PERENNIAL_STATE": str(tmp_path / "state"),
            "PERENNIAL_STEPS_IMAGE": image,
            "PERENNIAL_DOCKER_NETWORK": "none",
            "PERENNIAL_DOCKER_HOST": os.environ.get("DOCKER_HOST", ""),
        }
    )


@pytest.fixture(autouse=True)
def nothing_left(engine, tmp_path):
    """Every test leaves no container of its own, however it ends."""
    yield
    mine = [
        c
        for c in engine.containers(all=True)
        if any(m["Source"] == str(tmp_path / "state") for m in c["Mounts"])
    ]
    for container in mine:
        engine.remove_container(container["Id"], force=True)
    assert [container["Names"] for container in mine] == []


def context(run: str = "by hand 1", conf: object = None) -> dict:
    dag_run = SimpleNamespace(
        conf=conf,
        run_type="manual",
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=None,
    )
    return {
        "run_id": run,
        "dag_run": dag_run,
        "ti": SimpleNamespace(dag_id="retrain_demo", run_id=run, map_index=-1),
    }


def operator(settings, code: str = "", step: str = "features", **parameters) -> DockerStepOperator:
    request = {"code": code} if code else {}
    return DockerStepOperator(
        task_id=step, step=step, model="demo", settings=settings, request=request, **parameters
    )


def the_name(settings, run: str = "by hand 1") -> str:
    return container_name(settings, "demo", "features", "retrain_demo", run, -1)


class Heard:
    """What a step said, line by line; `act` is called at the first line."""

    def __init__(self, act=lambda: None) -> None:
        self.lines: list[tuple[str, str]] = []
        self._act = act

    def __call__(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))
        if len(self.lines) == 1:
            self._act()


@contextlib.contextmanager
def started(task: DockerStepOperator, code: str, run: str = "by hand 1"):
    with task._place(context(run)).start(
        task.step, task.model, json.dumps({"code": code})
    ) as running:
        yield running


def test_the_result_is_found_among_logs_of_both_streams_and_the_last_record_counts(settings):
    code = """
    say("INFO begins")
    print("noise")
    record({"n": 1})
    say("x" * 70_000)
    record({"n": 9}, step="gate")
    sys.stdout.write('half a line ')
    sys.stdout.flush()
    say("between")
    print("and its end")
    record({"n": 2})
    print("good-bye")
    """
    task = operator(settings, "import textwrap; exec(textwrap.dedent(request['more']))")
    task.request["more"] = code
    assert task.execute(context()) == {"n": 2}


def test_the_streams_are_told_apart_so_that_no_line_is_torn(settings):
    heard = Heard()
    with started(
        operator(settings),
        "sys.stdout.write('one '); sys.stdout.flush(); say('other'); print('line'); say('no end')",
    ) as running:
        assert running.follow(heard) == 0
    assert [line for stream, line in heard.lines if stream == "stdout"] == ["one line"]
    assert [line for stream, line in heard.lines if stream == "stderr"] == ["other", "no end"]


def test_a_request_of_the_largest_size_and_whatever_stands_in_it_arrive_as_data(settings, tmp_path):
    conf = {**HOSTILE, "long": "a" * 110_000}
    task = operator(
        settings,
        "open('/state/seen', 'w').write(json.dumps(request)); record({'n': 1})",
        step="ingest",
    )
    assert task.execute(context(HOSTILE_RUN, conf)) == {"n": 1}
    seen = json.loads((tmp_path / "state" / "seen").read_text())
    assert (seen["conf"], seen["run"]) == (conf, HOSTILE_RUN)
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["seen"]


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        pytest.param(
            "say('ERROR column a is gone'); sys.exit(65)",
            AirflowFailException,
            "gave up: column a",
            id="give up",
        ),
        pytest.param(
            "say('ERROR MLflow is away'); sys.exit(75)",
            AirflowException,
            "tried again: MLflow is away",
            id="try again",
        ),
        pytest.param(
            "raise ValueError('oops')",
            AirflowException,
            r"crashed \(exit 1\): ValueError: oops",
            id="a crash",
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGSEGV)",
            AirflowException,
            r"killed \(-11\): a crash in native",
            id="native crash",
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL)",
            AirflowException,
            r"killed \(-9\)",
            id="killed by hand",
        ),
        pytest.param(
            "print('no record')", AirflowException, "without a result record", id="no record"
        ),
        pytest.param(
            "record({'a': 'x' * 9000})",
            AirflowFailException,
            "more than 8192",
            id="too large for XCom",
        ),
    ],
)
def test_what_the_end_of_a_step_means_is_the_same_as_in_a_process(settings, code, kind, words):
    with pytest.raises(AirflowException, match=words) as caught:
        operator(settings, code).execute(context())
    assert type(caught.value) is kind


def test_a_step_that_needs_more_memory_than_its_spec_gives_is_told_so_and_not_tried_again(settings):
    task = operator(
        settings, "x = bytearray(400_000_000); record({'n': len(x)})", limits={"memory": "64m"}
    )
    with pytest.raises(
        AirflowFailException,
        match=r"out of memory: the step may use 64m \(resources.memory in model.yaml\)",
    ):
        task.execute(context())


def test_a_missing_image_is_named_and_never_pulled(settings):
    task = operator(settings.replace(steps_image="perennial-test/nowhere:1"))
    with pytest.raises(
        AirflowFailException,
        match=r"no image perennial-test/nowhere:1\. Remedy: build it \(`make images`",
    ):
        task.execute(context())


@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)  # docker-py 7.2 leaves it open
@pytest.mark.parametrize("host", ["unix:///tmp/no-engine-is-here.sock", "tcp://127.0.0.1:9"])
def test_an_engine_that_is_away_is_tried_again(settings, host):
    with pytest.raises(
        AirflowException, match=f"The Docker engine at {host} does not answer.*Remedy: start it"
    ) as caught:
        operator(settings.replace(docker_host=host)).execute(context())
    assert type(caught.value) is AirflowException
    del caught
    gc.collect()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        pytest.param(
            {"network": "perennial-test-nowhere"},
            "perennial-test-nowhere not found.*docker network create",
            id="network",
        ),
        pytest.param({"cpus": 400}, "Remedy: lower `resources.cpus`", id="cores"),
        pytest.param({"memory": "1m"}, "Remedy: raise `resources.memory`", id="memory"),
        pytest.param({"network": "host"}, "host's own network", id="the host's network"),
    ],
)
def test_limits_that_the_engine_cannot_give_are_refused_in_words(settings, limits, words):
    with pytest.raises(AirflowFailException, match=words):
        operator(settings, limits=limits).execute(context())


def test_a_state_folder_that_the_engines_host_does_not_have_is_named(settings):
    with pytest.raises(AirflowFailException, match="Remedy: set PERENNIAL_DOCKER_STATE"):
        operator(settings.replace(docker_state="/nowhere/on/this/host")).execute(context())


def test_a_foreign_container_that_has_the_name_is_left_alone_and_named(settings, engine, image):
    foreign = engine.create_container(
        image, name=the_name(settings), labels={"perennial": "1", "perennial.kind": "release"}
    )
    try:
        with pytest.raises(
            AirflowFailException,
            match=f"The name {the_name(settings)} is taken.*Remedy: remove or rename it",
        ):
            operator(settings).execute(context())
        assert engine.inspect_container(foreign["Id"])["Name"] == f"/{the_name(settings)}"
    finally:
        engine.remove_container(foreign["Id"], force=True)


def test_what_an_earlier_try_left_at_work_is_ended_before_the_next_begins(settings, engine):
    with started(operator(settings), WHILE_AT_WORK) as first:
        assert operator(settings, "record({'n': 1})").execute(context()) == {"n": 1}
        with pytest.raises(Exception, match="removed while it was at work"):
            first.follow(Heard())


def test_other_runs_and_other_dags_of_one_model_are_other_containers(settings):
    names = {
        the_name(settings),
        the_name(settings, "by hand 2"),
        container_name(settings, "demo", "features", "drift_demo", "by hand 1", -1),
    }
    assert len(names) == 3


def test_what_the_container_is(settings, engine, image, tmp_path):
    task, found = operator(settings, limits={"memory": "256m", "cpus": 0.5}), []
    code = """
def tried(path):
    try:
        open(path, "w").close(); return "written"
    except OSError as error:
        return error.strerror
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
facts = {p: tried(p) for p in ("/owned", "/step.py", "/tmp/mine", "/state/mine")}
facts |= {"caps": status["CapEff"].strip(), "privileges": status["NoNewPrivs"].strip()}
facts |= {"home": os.environ["HOME"], "uid": os.getuid()}
print(json.dumps(facts))
"""
    with started(task, code, HOSTILE_RUN) as running:
        found.append(engine.inspect_container(the_name(settings, HOSTILE_RUN)))
        heard = Heard()
        assert running.follow(heard) == 0
    inside = json.loads(heard.lines[0][1])
    assert (inside["/owned"], inside["/tmp/mine"], inside["/state/mine"]) == (
        "Read-only file system",
        "written",
        "written",
    )
    assert inside["/step.py"] == "Read-only file system"
    assert (int(inside["caps"], 16), inside["privileges"], inside["home"], inside["uid"]) == (
        0,
        "1",
        "/tmp",
        os.getuid(),
    )
    assert (tmp_path / "state" / "mine").exists()
    config, host = found[0]["Config"], found[0]["HostConfig"]
    assert config["Image"] == engine.inspect_image(image)["Id"]
    assert f"PERENNIAL_IMAGE={config['Image']}" in config["Env"]
    assert config["Labels"] == {
        "perennial": "1",
        "perennial.kind": "step",
        "perennial.model": "demo",
        "perennial.step": "features",
        "perennial.run": HOSTILE_RUN,
    }
    assert (host["Memory"], host["NanoCpus"], host["NetworkMode"], host["PidsLimit"]) == (
        256 * 2**20,
        500_000_000,
        "none",
        1_024,
    )
    assert (host["CapDrop"], host["SecurityOpt"], host["Privileged"], host["Init"]) == (
        ["ALL"],
        ["no-new-privileges"],
        False,
        True,
    )
    assert host["LogConfig"] == {
        "Type": "json-file",
        "Config": {"max-size": "10m", "max-file": "2"},
    }
    assert [(m["Type"], m["Destination"]) for m in found[0]["Mounts"]] == [("bind", "/state")]


def test_secrets_reach_the_step_and_nobody_else(settings, monkeypatch, capfd):
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "postgresql://u:hunter2@db/shop")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("SOMETHING_ELSE", "hunter2")
    code = (
        "record({n: len(os.environ.get(n, '')) for n in ('PERENNIAL_SQL_SHOP',"
        " 'MLFLOW_TRACKING_PASSWORD', 'SOMETHING_ELSE')})"
    )
    task = operator(settings, code)
    assert list(task.execute(context()).values()) == [
        len("postgresql://u:hunter2@db/shop"),
        len("hunter2"),
        0,
    ]
    assert "hunter2" not in repr(vars(task))
    assert "hunter2" not in repr(task._setup(context()))
    assert tuple(task.template_fields) == ()
    assert "hunter2" not in "".join(capfd.readouterr())


def test_stopping_asks_first_kills_what_does_not_listen_and_is_done_before_airflow_loses_patience(
    settings, engine
):
    code = """
signal.signal(signal.SIGTERM, lambda *_: say("not now"))
say("at work")
while True: time.sleep(0.1)
"""
    with started(operator(settings), code) as running:
        began = time.monotonic()
        heard = Heard(running.stop)
        assert running.follow(heard) == -signal.SIGKILL
    assert [line for _, line in heard.lines] == ["at work", "not now"]
    assert time.monotonic() - began < 5
    assert engine.containers(all=True, filters={"name": the_name(settings)}) == []


def test_killing_the_task_from_a_signals_handler_leaves_nothing(settings, engine):
    """Airflow calls `on_kill` from a signal's handler while `execute` waits."""
    task = operator(settings, WHILE_AT_WORK)
    before = signal.signal(signal.SIGUSR1, lambda *_: task.on_kill())

    def kill_when_at_work():
        while not engine.containers(filters={"name": the_name(settings)}):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=kill_when_at_work)
    thread.start()
    try:
        with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
            task.execute(context())
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    assert engine.containers(all=True, filters={"name": the_name(settings)}) == []


def test_a_task_that_is_killed_while_its_container_is_made_does_not_let_it_work(settings):
    task = operator(settings, WHILE_AT_WORK)
    task.on_kill()
    with pytest.raises(AirflowException, match=r"killed \(-15\): asked to end"):
        task.execute(context())


def test_what_goes_wrong_while_a_step_is_followed_ends_the_container(settings, engine):
    """Airflow's timeout is an exception in the middle of `follow`."""

    def time_out():
        raise TimeoutError

    with pytest.raises(TimeoutError), started(operator(settings), WHILE_AT_WORK) as running:
        running.follow(Heard(time_out))
    assert engine.containers(all=True, filters={"name": the_name(settings)}) == []


def test_a_container_that_somebody_removes_is_tried_again(settings, engine):
    task = operator(settings, WHILE_AT_WORK)

    def remove_when_at_work():
        while not (found := engine.containers(filters={"name": the_name(settings)})):
            time.sleep(0.05)
        engine.remove_container(found[0]["Id"], force=True)

    thread = threading.Thread(target=remove_when_at_work)
    thread.start()
    with pytest.raises(AirflowException) as caught:
        task.execute(context())
    thread.join()
    assert type(caught.value) is AirflowException
