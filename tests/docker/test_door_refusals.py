"""Whoever asks the door for more than the stack needs is refused, and the engine hears nothing."""

from __future__ import annotations

import pytest

from tests.docker.doors import IMAGE, context, made, refused

pytestmark = [pytest.mark.engine]


@pytest.mark.parametrize(
    "dockerfile",
    [
        f"FROM {IMAGE}\nRUN id",
        f"FROM {IMAGE}\nADD http://127.0.0.1/ /x",
        "FROM alpine",
        "FROM perennial/gateway",
        "FROM perennial/steps:not-there",
    ],
)
def test_a_build_that_runs_fetches_or_pulls_is_refused(through, stack, dockerfile):
    def build():
        return list(
            through.build(
                fileobj=context(dockerfile),
                custom_context=True,
                tag=f"perennial/release-{stack}:2",
                network_mode="none",
                decode=True,
            )
        )

    assert refused(build)[0] in {403, 404}
    assert through.images() == []


@pytest.mark.parametrize(
    "host",
    [
        {"privileged": True},
        {"binds": ["/:/host"]},
        {"pid_mode": "host"},
        {"ipc_mode": "host"},
        {"cap_add": ["SYS_ADMIN"]},
        {"devices": ["/dev/null:/dev/x:rwm"]},
        {"security_opt": ["seccomp=unconfined"]},
        {"port_bindings": {80: 8099}},
    ],
    ids=str,
)
def test_a_container_that_reaches_its_host_is_refused(engine, through, stack, host):
    assert refused(made, through, stack, **host)[0] == 403
    assert engine.containers(all=True, filters={"label": f"perennial.stack={stack}"}) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"hostname": "postgres"}, "Hostname"),
        ({"domainname": "postgres"}, "Domainname"),
        ({"labels": {"com.docker.compose.service": "postgres"}}, "com.docker.compose.service"),
        ({"user": "0"}, "User"),
    ],
    ids=str,
)
def test_a_container_that_poses_as_another_is_refused(through, fields, words):
    config = through.create_host_config(network_mode="none")
    status, said = refused(
        through.create_container,
        IMAGE,
        ["x"],
        name="perennial-step-x-1",
        host_config=config,
        **fields,
    )
    assert (status, words in said) == (403, True)


def test_an_image_that_runs_as_root_is_refused(engine, through, stack):
    tag = f"perennial/release-{stack}:root"
    list(
        engine.build(
            fileobj=context(f"FROM {IMAGE}\nUSER root"),
            custom_context=True,
            tag=tag,
            labels={"perennial.stack": stack},
            rm=True,
            decode=True,
        )
    )
    config = through.create_host_config(network_mode="none")
    for image in (tag, engine.inspect_image(tag)["Id"]):
        status, said = refused(
            through.create_container, image, ["x"], name="perennial-step-x-1", host_config=config
        )
        assert (status, "USER" in said) == (403, True)
    engine.remove_image(tag)


def test_a_mount_of_the_hosts_root_or_its_network_is_refused(through):
    from docker.types import Mount

    for options in (
        {"mounts": [Mount("/host", "/", type="bind")], "network_mode": "none"},
        {"network_mode": "host"},
        {},
    ):
        config = through.create_host_config(**options)
        assert (
            refused(
                through.create_container,
                IMAGE,
                ["x"],
                name="perennial-step-x-1",
                host_config=config,
            )[0]
            == 403
        )


def test_other_peoples_containers_are_not_touched_or_seen(engine, through, stack):
    foreign = engine.create_container(
        IMAGE,
        ["--help"],
        labels={"perennial": "1"},
        host_config=engine.create_host_config(network_mode="none"),
    )
    try:
        for call in (
            through.inspect_container,
            through.start,
            through.stop,
            through.kill,
            through.wait,
            through.logs,
            through.remove_container,
        ):
            status, words = refused(call, foreign["Id"])
            assert (status, "not made through this door" in words) == (403, True)
        assert refused(through.attach, foreign["Id"], stream=True)[0] == 403
        assert foreign["Id"] not in {found["Id"] for found in through.containers(all=True)}
        assert engine.inspect_container(foreign["Id"])["State"]["Status"] == "created"
    finally:
        engine.remove_container(foreign["Id"], force=True)


def test_everything_else_of_the_engine_is_refused(through):
    calls = [
        (through.info,),
        (through.create_volume, "x"),
        (through.volumes,),
        (through.networks,),
        (through.pull, "alpine"),
        (through.init_swarm,),
        (through.plugins,),
        (through.prune_containers,),
        (through.exec_create, "x", "id"),
        (through.get_archive, "x", "/etc"),
        (through.put_archive, "x", "/", b""),
        (through.remove_image, "perennial/steps"),
        (through.tag, IMAGE, "perennial/release-x"),
        (through.commit, "x"),
    ]
    assert {refused(*call)[0] for call in calls} == {403}
