"""What a step's pod is, and what is said in words where it does not begin."""

from __future__ import annotations

import json
import socket

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from tests.cluster.places.pods import Heard, context, operator, started, the_name

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.usefixtures("nothing_left"),
]


@pytest.fixture
def quota(core, namespace):
    """Let one pod of the namespace be."""
    from tests.cluster.places.pods import await_until

    body = {"metadata": {"name": "one"}, "spec": {"hard": {"pods": "0"}}}
    core.create_namespaced_resource_quota(namespace, body)
    await_until(lambda: core.read_namespaced_resource_quota("one", namespace).status.hard)
    yield "one"
    core.delete_namespaced_resource_quota("one", namespace)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {"steps_image": "perennial-test/nowhere:1"},
            r"no image perennial-test/nowhere:1\. ErrImageNeverPull: .*Remedy: push or load",
            id="an image that may not be pulled",
        ),
        pytest.param(
            {"steps_image": "Perennial Test!:1"},
            r"no image Perennial Test!:1\. InvalidImageName: .*Remedy: push or load",
            id="a name that is none",
        ),
        pytest.param(
            {"kubernetes_namespace": "nowhere-at-all"},
            "no namespace nowhere-at-all.*kubectl create namespace nowhere-at-all",
            id="namespace",
        ),
        pytest.param(
            {"kubernetes_steps_account": "nobody"},
            "nobody.* not found.*Remedy: make it, or name another in PERENNIAL_KUBERNETES_STEPS",
            id="service account",
        ),
        pytest.param(
            {
                "kubernetes_steps_secret": "nowhere",
                "kubernetes_steps_secret_keys": "PERENNIAL_SQL_SHOP",
            },
            'A secret of the step is not in the cluster.*"nowhere" not found',
            id="secret",
        ),
    ],
)
def test_what_will_never_begin_is_told_at_once_and_not_tried_again(settings, changes, words):
    with pytest.raises(AirflowFailException, match=words):
        operator(settings.replace(**changes)).execute(context())


@pytest.mark.parametrize(
    ("changes", "limits", "words"),
    [
        pytest.param(
            {},
            {"cpus": 400},
            r"not begun within 3 s.*Unschedulable: 0/\d+ nodes are available.* Insufficient cpu"
            ".*Remedy: lower `resources`",
            id="cores",
        ),
        pytest.param(
            {"kubernetes_steps_nodes": "pool=none-such"},
            {},
            "Unschedulable: .*(selector|affinity).*Remedy: label a node as PERENNIAL_KUBERNETES_",
            id="node selector",
        ),
        pytest.param(
            {"kubernetes_steps_volume": "none-such"},
            {},
            'persistentvolumeclaim "none-such" not found.*Remedy: make the claim',
            id="claim",
        ),
        pytest.param(
            {"kubernetes_steps_volume": "/none/such"},
            {},
            "FailedMount: .*hostPath type check failed.*Remedy: make the folder",
            id="folder of the node",
        ),
        pytest.param(
            {
                "steps_image": "127.0.0.1:9/perennial-test/nowhere:1",
                "kubernetes_steps_pull_policy": "Always",
            },
            {},
            "(ErrImagePull|ImagePullBackOff|Failed).*Remedy: push or load",
            id="a registry that is away",
        ),
    ],
)
def test_what_stays_pending_is_tried_again_with_the_words_of_the_cluster(
    settings, changes, limits, words
):
    seconds = 8 if "state" in str(changes) or "image" in str(changes) else 3
    known = settings.replace(kubernetes_steps_pending_seconds=seconds, **changes)
    with pytest.raises(AirflowException, match=words) as caught:
        operator(known, limits=limits).execute(context())
    assert type(caught.value) is AirflowException


def test_a_quota_that_is_used_up_is_waited_for_and_then_told(settings, quota):
    known = settings.replace(kubernetes_steps_pending_seconds=2)
    with pytest.raises(
        AirflowException, match=r"exceeded quota: one.*Remedy: wait until other pods have ended"
    ) as caught:
        operator(known).execute(context())
    assert type(caught.value) is AirflowException


def test_a_step_begins_as_soon_as_the_quota_has_room(settings, core, namespace, quota):
    import threading

    body = {"spec": {"hard": {"pods": "5"}}}
    timer = threading.Timer(1, core.patch_namespaced_resource_quota, args=(quota, namespace, body))
    timer.start()
    assert operator(settings, "record({'n': 1})").execute(context()) == {"n": 1}
    timer.join()


def test_a_cluster_that_is_away_is_told_after_its_time(settings, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    config = tmp_path / "kubeconfig"
    config.write_text(
        f"""
apiVersion: v1
kind: Config
clusters: [{{name: x, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: x, user: {{}}}}]
contexts: [{{name: x, context: {{cluster: x, user: x}}}}]
current-context: x
"""
    )
    known = settings.replace(kubernetes_config=config, kubernetes_away_seconds=2)
    with pytest.raises(
        AirflowException, match=r"API does not answer.*Remedy: see whether"
    ) as caught:
        operator(known).execute(context())
    assert type(caught.value) is AirflowException


def test_a_foreign_pod_that_has_the_name_is_left_alone_and_named(
    settings, core, namespace, step_image
):
    name = the_name(settings)
    container = {"name": "x", "image": step_image, "imagePullPolicy": "Never"}
    body = {"metadata": {"name": name}, "spec": {"containers": [container]}}
    core.create_namespaced_pod(namespace, body)
    try:
        with pytest.raises(AirflowFailException, match=f"The name {name} is taken.*kubectl"):
            operator(settings).execute(context())
        assert core.read_namespaced_pod(name, namespace).metadata.name == name
    finally:
        core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)


def test_the_state_may_be_a_volume_that_is_claimed(settings, core, namespace, tmp_path):
    name, room = f"{namespace}-state", {"storage": "1Gi"}
    modes = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {**modes, "capacity": room, "hostPath": {"path": str(tmp_path / "state")}}
    claim = {**modes, "resources": {"requests": room}, "volumeName": name}
    core.create_persistent_volume({"metadata": {"name": name}, "spec": volume})
    try:
        core.create_namespaced_persistent_volume_claim(
            namespace, {"metadata": {"name": "state"}, "spec": claim}
        )
        task = operator(
            settings.replace(kubernetes_steps_volume="state"),
            "open('/state/mine', 'w').close(); record({'n': 1})",
        )
        assert task.execute(context()) == {"n": 1}
        assert (tmp_path / "state" / "mine").exists()
    finally:
        core.delete_persistent_volume(name)


def test_what_the_pod_is(settings, core, namespace, tmp_path):
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
facts |= {"uid": os.getuid(), "gid": os.getgid(), "first": os.getpid() == 1}
facts |= {"token": os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token")}
facts |= {"services": [n for n in os.environ if n.startswith("TEMPTING")]}
print(json.dumps(facts), flush=True)
"""
    service = {"metadata": {"name": "tempting"}, "spec": {"ports": [{"port": 80}]}}
    core.create_namespaced_service(namespace, service)
    task, found = operator(settings, limits={"memory": "256m", "cpus": 0.5}), []

    def look():
        found.append(core.read_namespaced_pod(the_name(settings), namespace))

    with started(task, code) as running:
        heard = Heard(look)
        assert running.follow(heard) == 0
    inside = json.loads(heard.lines[0])
    assert [inside[p] for p in ("/owned", "/step.py", "/tmp/mine", "/state/mine")] == [
        "Read-only file system",
        "Read-only file system",
        "written",
        "written",
    ]
    assert (int(inside["caps"], 16), inside["privileges"], inside["token"]) == (0, "1", False)
    assert (inside["uid"], inside["gid"], inside["first"]) == (10_001, 10_001, False)
    assert inside["services"] == []
    assert (tmp_path / "state" / "mine").exists()
    resources = found[0].spec.containers[0].resources
    assert resources.limits == resources.requests == {"memory": "268435456", "cpu": "500m"}
    assert found[0].status.qos_class == "Guaranteed"
