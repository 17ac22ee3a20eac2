"""The door's policy: what is not on the list is refused, and what is reaches the engine as the door
wrote it."""

from __future__ import annotations

import json

import pytest

from door import creation, policy
from door.rules import Denied, Rules

RULES = Rules(
    stack="mine",
    images=("perennial/steps", "registry.example:5000/perennial/serving:1.2"),
    builds=("perennial/release-*",),
    volumes=("perennial_state", "perennial_gateway"),
    networks=("perennial", "perennial-edge"),
)
HEX = "0123456789abcdef" * 4
OWN = {"perennial": "1", "perennial.stack": "mine"}
NAME = "perennial-step-bikes-train-0123456789ab"
CREATE = f"/v1.41/containers/create?name={NAME}"
BUILD = "/v1.41/build?t=perennial/release-bikes:1&networkmode=none"


def asked(**changes):
    """A container as a step asks for it, with these fields of HostConfig changed."""
    mounts = [
        {"Type": "volume", "Source": "perennial_state", "Target": "/state", "ReadOnly": False}
    ]
    host = {
        "NetworkMode": "perennial",
        "Mounts": mounts,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Memory": 1 << 30,
    }
    return {
        "Image": "perennial/steps:latest",
        "Cmd": ["train"],
        "Env": ["A=b"],
        "Labels": {"perennial.model": "b"},
        "HostConfig": {**host, **changes},
    }


def create(body, target=CREATE):
    return policy.judge(
        RULES, "POST", target, body if isinstance(body, bytes) else json.dumps(body).encode()
    )


def made(**changes):
    """What the engine gets of such a container, from the image that it has."""
    return json.loads(create(asked(**changes)).body(f"sha256:{HEX}"))


def test_a_step_container_passes_and_is_marked_as_the_stacks_own():
    found = create(asked())
    body = json.loads(found.body(f"sha256:{HEX}"))
    assert body["Image"] == f"sha256:{HEX}"
    assert body["Labels"] == {"perennial.model": "b", **OWN}
    assert body["HostConfig"]["CapDrop"] == ["ALL"]
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "perennial_state", "Target": "/state", "ReadOnly": False}
    ]
    assert found.subject == policy.Subject("images", "perennial/steps:latest", "run")
    assert found.target("anything") == CREATE


def test_privileges_are_dropped_whatever_is_asked():
    host = create({"Image": "perennial/steps", "HostConfig": {"NetworkMode": "none"}}).container[
        "HostConfig"
    ]
    dropped = {"CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"], "Privileged": False}
    assert host == {
        "NetworkMode": "none",
        **dropped,
        "Memory": 16 << 30,
        "MemorySwap": 16 << 30,
        "PidsLimit": 2048,
    }


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, (1 << 30, 1 << 30, 2048)),
        ({"Memory": 0, "MemorySwap": 0, "PidsLimit": 0}, (16 << 30, 16 << 30, 2048)),
        ({"Memory": None, "PidsLimit": None}, (16 << 30, 16 << 30, 2048)),
        ({"Memory": 16 << 30, "PidsLimit": 7}, (16 << 30, 16 << 30, 7)),
        ({"MemorySwap": 2 << 30}, (1 << 30, 2 << 30, 2048)),
    ],
)
def test_limits_are_set_where_none_are_asked(given, found):
    host = made(**given)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == found


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", "size=1g"),
        ("rw,nosuid", "rw,nosuid,size=1g"),
        ("size=64m,mode=1777", "size=64m,mode=1777"),
        ("size=2g", "size=2g"),
    ],
)
def test_every_tmpfs_has_a_size(options, found):
    assert made(Tmpfs={"/tmp": options})["HostConfig"]["Tmpfs"] == {"/tmp": found}


def test_empty_fields_that_docker_py_sends_are_left_out():
    empty = {
        "Privileged": False,
        "CapAdd": None,
        "Devices": [],
        "PidMode": "",
        "Dns": [],
        "ConsoleSize": [0, 0],
        "MaskedPaths": [],
    }
    assert not set(empty) - {"Privileged"} & set(made(**empty)["HostConfig"])


BAD_HOSTS = [
    {"Privileged": True},
    {"privileged": True},
    {"networkMode": "host"},
    {"NetworkMode": "host"},
    {"NetworkMode": "bridge"},
    {"NetworkMode": "default"},
    {"NetworkMode": ""},
    {"NetworkMode": "container:postgres"},
    {"NetworkMode": "someone-elses"},
    {"NetworkMode": None},
    {"PidMode": "host"},
    {"PidMode": "container:abc"},
    {"IpcMode": "host"},
    {"UTSMode": "host"},
    {"UsernsMode": "host"},
    {"CgroupnsMode": "host"},
    {"CapAdd": ["SYS_ADMIN"]},
    {"CapDrop": "ALL"},
    {"Capabilities": ["CAP_SYS_ADMIN"]},
    {"SecurityOpt": ["seccomp=unconfined"]},
    {"SecurityOpt": ["no-new-privileges:false"]},
    {
        "Devices": [
            {"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda", "CgroupPermissions": "rwm"}
        ]
    },
    {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]},
    {"DeviceCgroupRules": ["a *:* rwm"]},
    {"Binds": ["/:/host"]},
    {"Binds": ["/var/run/docker.sock:/d"]},
    {"Binds": ["perennial_state:/state:rw,rshared"]},
    {"Binds": ["perennial_state:/state:Z"]},
    {"Binds": ["perennial_state:/../../etc"]},
    {"Binds": ["other:/x"]},
    {"binds": ["/:/host"]},
    {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]},
    {
        "Mounts": [
            {"type": "bind", "Type": "volume", "Source": "perennial_state", "Target": "/host"}
        ]
    },
    {"Mounts": [{"Type": "volume", "Source": "other", "Target": "/host"}]},
    {"Mounts": [{"Type": "volume", "Source": "/", "Target": "/host"}]},
    {"Mounts": [{"Type": "volume", "Source": "", "Target": "/host"}]},
    {"Mounts": [{"Type": "npipe", "Source": "x", "Target": "/host"}]},
    {"Mounts": ["x"]},
    {"Mounts": [{"Type": "volume", "Source": "perennial_state"}]},
    {
        "Mounts": [
            {
                "Type": "volume",
                "Source": "perennial_state",
                "Target": "/s",
                "BindOptions": {"Propagation": "rshared"},
            }
        ]
    },
    {
        "Mounts": [
            {
                "Type": "volume",
                "Source": "perennial_state",
                "Target": "/s",
                "VolumeOptions": {
                    "DriverConfig": {
                        "Name": "local",
                        "Options": {"type": "none", "o": "bind", "device": "/"},
                    }
                },
            }
        ]
    },
    {"VolumesFrom": ["postgres"]},
    {"VolumeDriver": "local"},
    {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
    {"PublishAllPorts": True},
    {"Links": ["postgres:db"]},
    {"ExtraHosts": ["mlflow:10.0.0.1"]},
    {"Dns": ["10.0.0.1"]},
    {"Sysctls": {"kernel.shm_rmid_forced": "1"}},
    {"Runtime": "sysbox"},
    {"CgroupParent": "/"},
    {"GroupAdd": ["0"]},
    {"MaskedPaths": ["/x"]},
    {"ReadonlyPaths": ["/x"]},
    {"OomKillDisable": True},
    {"OomScoreAdj": -1000},
    {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 1}]},
    {"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "tcp://evil"}}},
    {"LogConfig": {"Type": "json-file", "Config": {"env": "SECRET"}}},
    {"LogConfig": "x"},
    {"Tmpfs": {"/tmp": "suid"}},
    {"Tmpfs": {"/../x": "rw"}},
    {"Tmpfs": {"/tmp": "size=0"}},
    {"Tmpfs": {"/tmp": "size=2049m"}},
    {"Tmpfs": {"/tmp": "size=3g"}},
    {"Tmpfs": {"/tmp": "size=1m,size=999g"}},
    {"Tmpfs": {"/tmp": "size=50%"}},
    {"Tmpfs": {f"/tmp{number}": "" for number in range(9)}},
    {"ShmSize": (2 << 30) + 1},
    {"Memory": (16 << 30) + 1},
    {"MemorySwap": (16 << 30) + 1},
    {"PidsLimit": 2049},
    {"PidsLimit": -1},
    {"MemorySwap": -1},
    {"Memory": -1},
    {"Memory": True},
    {"Memory": "1g"},
    {"ReadonlyRootfs": "yes"},
    {"RestartPolicy": {"Name": "whenever"}},
    {"StorageOpt": {"size": "1"}},
    {"\u017fecurityOpt": ["seccomp=unconfined"]},
    {"Unheard": "of"},
]


@pytest.mark.parametrize("host", BAD_HOSTS, ids=lambda host: json.dumps(host)[:60])
def test_what_reaches_beyond_the_container_is_refused(host):
    with pytest.raises(Denied):
        create(asked(**host))


BAD_FIELDS = [
    {"Image": "postgres:15"},
    {"Image": "perennial/postgres"},
    {"Image": "perennial/steps@sha256:" + HEX},
    {"Image": "perennial/steps-evil"},
    {"Image": "../perennial/steps"},
    {"Image": HEX[:12]},
    {"Image": None},
    {"Image": 7},
    {"User": "0"},
    {"User": "root"},
    {"User": "10001:0"},
    {"User": "00"},
    {"User": "0:0"},
    {"User": "0:10001"},
    {"User": "10001"},
    {"User": "10001:"},
    {"User": ":10001"},
    {"User": "perennial:perennial"},
    {"User": "10001:10001\n"},
    {"User": 0},
    {"User": 10001},
    {"User": False},
    {"User": []},
    {"User": {}},
    {"User": ["0"]},
    {"Hostname": "postgres"},
    {"Hostname": "x"},
    {"Domainname": "postgres"},
    {"Labels": {"com.docker.compose.project": "mine"}},
    {"Labels": {"com.docker.compose.service": "postgres"}},
    {"Labels": {"a": "b"}},
    {"Labels": {"perennialx": "b"}},
    {"Labels": {"Perennial.model": "b"}},
    {"Labels": {"org.opencontainers.imagex": "b"}},
    {"Labels": {"perennial.kept": "mine"}},
    {"Labels": {"perennial.kept": ""}},
    {"Labels": {"perennial.stack": ""}},
    {"OpenStdin": True},
    {"AttachStdin": True},
    {"Volumes": {"/x": {}}},
    {"ExposedPorts": {"80/tcp": {}}},
    {"Healthcheck": {"Test": ["CMD", "x"]}},
    {"MacAddress": "02:42:ac:11:00:02"},
    {"Cmd": "sh -c x"},
    {"Env": ["A=\0"]},
    {"WorkingDir": "/../x"},
    {"StopSignal": "; rm"},
    {"Labels": {"perennial.stack": "yours"}},
    {"Labels": {"perennial": "0"}},
    {"Labels": {"x": 1}},
    {"hostconfig": {"Privileged": True}},
    {"HOSTCONFIG": {"Privileged": True}},
    {"HostConfig": None},
    {"HostConfig": []},
    {"NetworkingConfig": {"EndpointsConfig": {"host": {}}}},
    {"NetworkingConfig": {"EndpointsConfig": {"perennial": {"Aliases": ["postgres"]}}}},
    {
        "NetworkingConfig": {
            "EndpointsConfig": {"perennial": {"IPAMConfig": {"IPv4Address": "10.0.0.2"}}}
        }
    },
    {"NetworkingConfig": {"endpointsConfig": {"host": {}}}},
]


@pytest.mark.parametrize("fields", BAD_FIELDS, ids=lambda fields: json.dumps(fields)[:60])
def test_a_container_that_is_no_step_or_release_is_refused(fields):
    with pytest.raises(Denied):
        create({**asked(), **fields})


@pytest.mark.parametrize(
    "body",
    [
        (
            b'{"Image": "perennial/steps", "HostConfig": {"NetworkMode": "none", "NetworkMode":'
            b' "host"}}'
        ),
        b'{"Image": "perennial/steps", "Image": "evil", "HostConfig": {"NetworkMode": "none"}}',
        b'{"Image": "perennial/steps", "HostConfig": {"NetworkMode": "none", "Memory": NaN}}',
        b"[1]",
        b"",
        b"\xff\xfe",
        b'{"Image": "perennial/steps", "HostConfig": {"NetworkMode": "none"}} {"Privileged": true}',
        b"[" * 100_000,
    ],
    ids=["key twice", "image twice", "NaN", "a list", "nothing", "no UTF-8", "two values", "deep"],
)
def test_json_that_two_parsers_may_read_in_two_ways_is_refused(body):
    with pytest.raises(Denied):
        create(body)


@pytest.mark.parametrize(
    "name",
    [
        "postgres",
        "perennial-door-1",
        "perennial-step-",
        "perennial-release-a/b",
        "",
        "perennial-step-x%00",
    ],
)
def test_a_container_cannot_take_another_servers_name(name):
    with pytest.raises(Denied):
        create(asked(), f"/v1.41/containers/create?name={name}")


def test_a_container_needs_a_name():
    with pytest.raises(Denied, match="name"):
        create(asked(), "/v1.41/containers/create")


def test_a_user_by_number_passes_and_without_one_the_image_says_it():
    assert json.loads(create({**asked(), "User": "10001:10001"}).body())["User"] == "10001:10001"
    assert "User" not in json.loads(create({**asked(), "User": None}).body())


@pytest.mark.parametrize("user", [None, "", "root", "0", "0:0", "10001", "10001:0", "perennial", 0])
@pytest.mark.parametrize("image", ["perennial/steps", f"sha256:{HEX}"])
def test_an_image_that_runs_as_root_is_refused(image, user):
    about = create({**asked(), "Image": image}).subject
    with pytest.raises(Denied, match="USER"):
        policy.judge_description(
            RULES,
            about,
            {"Id": "i", "RepoTags": ["perennial/steps:latest"], "Config": {"User": user}},
        )


def test_labels_of_the_image_that_a_release_is_made_from_pass():
    labels = {
        "org.opencontainers.image.title": "perennial/serving",
        "perennial.lock": "x",
        "perennial.kind": "release",
        **OWN,
    }
    assert create({**asked(), "Labels": labels}).container["Labels"] == labels


def test_an_image_by_id_is_asked_about():
    about = create({**asked(), "Image": f"sha256:{HEX}"}).subject
    assert about == policy.Subject("images", f"sha256:{HEX}", "run")
    user = {"User": "10001:10001"}
    assert (
        policy.judge_description(
            RULES, about, {"Id": "i", "RepoTags": ["perennial/steps:latest"], "Config": user}
        )
        == "i"
    )
    assert policy.judge_description(
        RULES,
        about,
        {
            "Id": "i",
            "Config": {**user, "Labels": {"org.opencontainers.image.title": "perennial/steps"}},
        },
    )
    assert policy.judge_description(
        RULES, about, {"Id": "i", "RepoTags": [], "Config": {**user, "Labels": OWN}}
    )
    for other in (
        {"Id": "i", "RepoTags": ["postgres:15"]},
        {"Id": "i"},
        {"Id": "i", "Config": {"Labels": {"perennial": "1"}}},
        {},
    ):
        with pytest.raises(Denied):
            policy.judge_description(RULES, about, other)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/v1.41/containers/x/start"),
        ("POST", "/containers/x/stop?t=3"),
        ("POST", "/v1.41/containers/x/kill?signal=SIGTERM"),
        ("POST", "/v1.41/containers/x/wait"),
        ("POST", "/v1.41/containers/x/attach?logs=0&stdout=1&stderr=1&stream=1"),
        ("GET", "/v1.41/containers/x/logs?stderr=1&stdout=1&timestamps=0&follow=0&tail=20"),
        ("GET", "/v1.41/containers/x/json"),
        ("DELETE", "/v1.41/containers/x?v=True&link=False&force=True"),
    ],
)
def test_a_container_is_touched_by_its_id_and_only_if_it_is_the_stacks(method, target):
    found = policy.judge(RULES, method, target)
    assert found.subject == policy.Subject("containers", "x", "touch")
    assert "/containers/ID" in found.target("ID")
    assert (
        policy.judge_description(RULES, found.subject, {"Id": "i", "Config": {"Labels": OWN}})
        == "i"
    )
    for labels in (None, {}, {"perennial": "1"}, {"perennial": "1", "perennial.stack": "yours"}):
        with pytest.raises(Denied):
            policy.judge_description(
                RULES, found.subject, {"Id": "i", "Config": {"Labels": labels}}
            )


REFUSED = [
    ("POST", "/v1.41/containers/x/exec"),
    ("POST", "/v1.41/exec/x/start"),
    ("GET", "/v1.41/containers/x/archive?path=/"),
    ("PUT", "/v1.41/containers/x/archive?path=/"),
    ("HEAD", "/v1.41/containers/x/archive?path=/"),
    ("GET", "/v1.41/containers/x/export"),
    ("POST", "/v1.41/containers/x/update"),
    ("POST", "/v1.41/containers/x/rename?name=y"),
    ("POST", "/v1.41/containers/x/attach?stdin=1"),
    ("GET", "/v1.41/containers/x/attach/ws"),
    ("POST", "/v1.41/containers/prune"),
    ("POST", "/v1.41/images/create?fromImage=alpine"),
    ("POST", "/v1.41/images/load"),
    ("POST", "/v1.41/images/perennial/steps/push"),
    ("POST", "/v1.41/images/perennial/steps/tag?repo=x"),
    ("GET", "/v1.41/images/postgres/json"),
    ("DELETE", "/v1.41/images/postgres"),
    ("GET", "/v1.41/images/perennial/steps/get"),
    ("POST", "/v1.41/volumes/create"),
    ("GET", "/v1.41/volumes"),
    ("POST", "/v1.41/networks/create"),
    ("POST", "/v1.41/networks/perennial/connect"),
    ("POST", "/v1.41/swarm/init"),
    ("GET", "/v1.41/plugins"),
    ("POST", "/v1.41/plugins/pull?remote=x"),
    ("GET", "/v1.41/secrets"),
    ("GET", "/v1.41/info"),
    ("GET", "/v1.41/events"),
    ("POST", "/v1.41/session"),
    ("POST", "/v1.41/grpc"),
    ("POST", "/v1.41/commit?container=x"),
    ("POST", "/v1.23/containers/x/start"),
    ("GET", "/v1.41/../v1.41/info"),
    ("GET", "/v1.41/containers/../info"),
    ("GET", "/v1.41//info"),
    ("GET", "//v1.41/_ping"),
    ("GET", "/v1.41/containers/%2e%2e/json"),
    ("GET", "/v1.41/images/perennial%2Fsteps/json"),
    ("GET", "/v1.41/containers/x/json%00"),
    ("GET", "/v1.41/containers/x/json?size=1&size=0"),
    ("GET", "/v1.41/containers/x/json?size=1;x=1"),
    ("GET", "/v1.41/containers/x/json#x"),
    ("GET", "http://elsewhere/v1.41/_ping"),
    ("GET", "_ping"),
    ("OPTIONS", "*"),
    ("get", "/_ping"),
    ("CONNECT", "postgres:5432"),
    ("GET", '/v1.41/containers/json?filters={"label":{"a":true}}'),
    ("GET", "/v1.41/containers/json?filters=[]"),
    ("POST", "/v1.41/build"),
    ("POST", "/v1.41/build?t=perennial/release-x:1"),
    ("POST", "/v1.41/build?t=perennial/release-x:1&networkmode=host"),
    ("POST", "/v1.41/build?t=perennial/release-x:1&networkmode=container:postgres"),
    ("POST", "/v1.41/build?t=perennial/steps&networkmode=none"),
    ("POST", BUILD + "&pull=1"),
    ("POST", BUILD + "&remote=http://elsewhere"),
    ("POST", BUILD + "&version=2"),
    ("POST", BUILD + "&session=x"),
    ("POST", BUILD + "&extrahosts=a:1"),
    ("POST", BUILD + "&dockerfile=../x"),
    ("POST", BUILD + "&buildargs={}"),
    ("POST", BUILD + "&t=perennial/steps"),
    ("POST", BUILD + '&labels={"perennial.stack":"yours"}'),
    ("POST", BUILD + '&labels={"perennial.stack":"mine"}'),
    ("POST", BUILD + '&labels={"perennial.kept":"mine"}'),
    ("POST", BUILD + '&labels={"perennial":"0"}'),
    ("POST", BUILD + '&labels={"com.docker.compose.project":"mine"}'),
]


@pytest.mark.parametrize(
    ("method", "target"), REFUSED, ids=[f"{method} {target}" for method, target in REFUSED]
)
def test_everything_else_is_refused(method, target):
    with pytest.raises(Denied):
        policy.judge(RULES, method, target)


def test_a_request_without_a_body_has_none():
    with pytest.raises(Denied):
        policy.judge(RULES, "POST", "/v1.41/containers/x/start", b'{"Privileged": true}')


@pytest.mark.parametrize("what", ["containers", "images"])
def test_a_list_shows_the_stacks_own_alone(what):
    query = policy.judge(
        RULES, "GET", f'/v1.41/{what}/json?all=1&filters={{"label":["perennial.model=bikes"]}}'
    ).query
    assert json.loads(query["filters"]) == {
        "label": ["perennial.model=bikes", "perennial=1", "perennial.stack=mine"]
    }
    assert json.loads(policy.judge(RULES, "GET", f"/{what}/json").query["filters"])["label"] == [
        "perennial=1",
        "perennial.stack=mine",
    ]


def test_a_build_is_of_the_classic_kind_without_network_or_pull():
    query = policy.judge(
        RULES, "POST", BUILD + '&rm=True&pull=False&labels={"perennial.run":"é"}'
    ).query
    assert query["networkmode"] == "none"
    assert query["pull"] == "0"
    assert query["version"] == "1"
    assert json.loads(query["labels"]) == {"perennial.run": "é", **OWN}


def test_a_release_image_is_removed_only_if_it_was_built_here():
    about = policy.judge(
        RULES, "DELETE", "/v1.41/images/perennial/release-bikes:1?force=False&noprune=False"
    ).subject
    assert (
        policy.judge_description(
            RULES,
            about,
            {"Id": "i", "RepoTags": ["perennial/release-bikes:1"], "Config": {"Labels": OWN}},
        )
        == "i"
    )
    for other in (
        {
            "Id": "i",
            "RepoTags": ["perennial/release-bikes:1", "postgres:15"],
            "Config": {"Labels": OWN},
        },
        {
            "Id": "i",
            "RepoTags": ["perennial/release-bikes:1"],
            "Config": {"Labels": {"perennial": "1"}},
        },
    ):
        with pytest.raises(Denied):
            policy.judge_description(RULES, about, other)


def test_only_the_listed_fields_reach_the_engine():
    body = made()
    assert set(body) <= set(creation.CONTAINER) | {"HostConfig"}
    assert set(body["HostConfig"]) <= set(creation.HOST) | {"Privileged"}
