"""The door's policy: what is not on the list is refused, and what is reaches the engine as the door
wrote it."""

from __future__ import annotations

import json

import pytest

from door import policy
from door.rules import Denied
from tests.unit.door.container_requests import (
    CREATE,
    HEX,
    OWN,
    RULES,
    create,
    created_body,
    step_container,
)


def test_a_step_container_passes_and_is_marked_as_the_stacks_own():
    request = create(step_container())
    body = json.loads(request.body(f"sha256:{HEX}"))
    assert body["Image"] == f"sha256:{HEX}"
    assert body["Labels"] == {"perennial.model": "b", **OWN}
    assert body["HostConfig"]["CapDrop"] == ["ALL"]
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "perennial_state", "Target": "/state", "ReadOnly": False}
    ]
    assert request.subject == policy.Subject("images", "perennial/steps:latest", "run")
    assert request.target("anything") == CREATE


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
    host = created_body(**given)["HostConfig"]
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
    assert created_body(Tmpfs={"/tmp": options})["HostConfig"]["Tmpfs"] == {"/tmp": found}


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
    assert not set(empty) - {"Privileged"} & set(created_body(**empty)["HostConfig"])


def test_labels_of_the_image_that_a_release_is_made_from_pass():
    labels = {
        "org.opencontainers.image.title": "perennial/serving",
        "perennial.lock": "x",
        "perennial.kind": "release",
        **OWN,
    }
    assert create({**step_container(), "Labels": labels}).container["Labels"] == labels


def test_an_image_by_id_is_asked_about():
    subject = create({**step_container(), "Image": f"sha256:{HEX}"}).subject
    assert subject == policy.Subject("images", f"sha256:{HEX}", "run")
    user = {"User": "10001:10001"}
    assert (
        policy.judge_description(
            RULES, subject, {"Id": "i", "RepoTags": ["perennial/steps:latest"], "Config": user}
        )
        == "i"
    )
    assert policy.judge_description(
        RULES,
        subject,
        {
            "Id": "i",
            "Config": {**user, "Labels": {"org.opencontainers.image.title": "perennial/steps"}},
        },
    )
    assert policy.judge_description(
        RULES, subject, {"Id": "i", "RepoTags": [], "Config": {**user, "Labels": OWN}}
    )
    for other in (
        {"Id": "i", "RepoTags": ["postgres:15"]},
        {"Id": "i"},
        {"Id": "i", "Config": {"Labels": {"perennial": "1"}}},
        {},
    ):
        with pytest.raises(Denied):
            policy.judge_description(RULES, subject, other)


TRUST = {"Type": "volume", "Source": "perennial_trust", "Target": "/trust"}


def test_a_volume_that_may_only_be_read_is_mounted_so_and_not_otherwise():
    mount = {**TRUST, "ReadOnly": True}
    assert created_body(Mounts=[mount])["HostConfig"]["Mounts"] == [mount]
    bind = "perennial_trust:/trust:ro"
    assert created_body(Binds=[bind])["HostConfig"]["Binds"] == [bind]
    for host in (
        {"Mounts": [TRUST]},
        {"Mounts": [{**TRUST, "ReadOnly": False}]},
        {"Mounts": [{**TRUST, "ReadOnly": None}]},
        {"Mounts": [{**TRUST, "ReadOnly": 1}]},
        {"Mounts": [{**TRUST, "readOnly": True}]},
        {"Mounts": [{**TRUST, "ReadOnly": True, "readonly": False}]},
        {"Binds": ["perennial_trust:/trust"]},
        {"Binds": ["perennial_trust:/trust:rw"]},
        {"Binds": ["perennial_trust:/trust:ro,rw"]},
        {"Binds": ["perennial_trust:/trust:ro:rw"]},
    ):
        with pytest.raises(Denied):
            create(step_container(**host))
