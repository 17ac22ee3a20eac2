"""A new container that asks for more than a step may have is refused."""

from __future__ import annotations

import json

import pytest

from door import policy
from door.rules import Denied
from tests.unit.door.container_requests import HEX, RULES, create, step_container

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
        create(step_container(**host))


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
        create({**step_container(), **fields})


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
        create(step_container(), f"/v1.41/containers/create?name={name}")


def test_a_container_needs_a_name():
    with pytest.raises(Denied, match="name"):
        create(step_container(), "/v1.41/containers/create")


def test_a_user_by_number_passes_and_without_one_the_image_says_it():
    assert (
        json.loads(create({**step_container(), "User": "10001:10001"}).body())["User"]
        == "10001:10001"
    )
    assert "User" not in json.loads(create({**step_container(), "User": None}).body())


@pytest.mark.parametrize("user", [None, "", "root", "0", "0:0", "10001", "10001:0", "perennial", 0])
@pytest.mark.parametrize("image", ["perennial/steps", f"sha256:{HEX}"])
def test_an_image_that_runs_as_root_is_refused(image, user):
    subject = create({**step_container(), "Image": image}).subject
    with pytest.raises(Denied, match="USER"):
        policy.judge_description(
            RULES,
            subject,
            {"Id": "i", "RepoTags": ["perennial/steps:latest"], "Config": {"User": user}},
        )
