"""A container that someone asks for.

Each field is judged, and the request written anew from the fields that are known.

The engine reads JSON keys in any case, the last one winning, and knows far more fields than are
useful here. So a field that is not listed is refused unless it is empty, and whatever was sent,
only what this file writes reaches the engine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from door.limits import SHARED_BYTES, limit_resources, tmpfs
from door.rules import (
    FOLDER,
    ID,
    KEPT,
    Denied,
    check_labels,
    is_unprivileged,
    parse_json,
    string_map,
    with_tag,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from door.rules import Rules

NAME = re.compile(r"perennial-(step|release)-[a-z0-9][a-z0-9_.-]{0,200}")
"""What containers may be called.

A name is a name in the networks' DNS, so nobody may be called `postgres` here.
"""

SIGNAL = re.compile(r"(SIG)?[A-Z0-9+]{1,12}")


def rewrite(rules: Rules, body: bytes) -> dict[str, Any]:
    """Return the request written anew.

    Its Image is a whole id or a name with a tag, about which the engine must be asked.

    Raises Denied naming the field.
    """
    request = parse_json(body)
    host = request.pop("HostConfig", None)
    if not isinstance(host, dict):
        raise Denied("HostConfig must be there: without a network mode the engine takes its own.")
    network_config = request.pop("NetworkingConfig", None)
    rewritten = _judge_fields(rules, request, CONTAINER, "")
    rewritten["HostConfig"] = _host(rules, host)
    lasts = rewritten["HostConfig"].get("RestartPolicy", {}).get("Name") in {
        "always",
        "unless-stopped",
    }
    rewritten["Labels"] = (
        rewritten.get("Labels", {}) | rules.labels | ({KEPT: rules.stack} if lasts else {})
    )
    if network_config:
        rewritten["NetworkingConfig"] = {"EndpointsConfig": _endpoints(rules, network_config)}
    if "Image" not in rewritten:
        raise Denied("Image must be there.")
    return rewritten


def _host(rules: Rules, host: dict[str, Any]) -> dict[str, Any]:
    judged_fields = _judge_fields(rules, host, HOST, "HostConfig.")
    if "NetworkMode" not in judged_fields:
        raise Denied(
            "HostConfig.NetworkMode must be there: the engine's own network leads to its host."
        )
    return {
        **judged_fields,
        **limit_resources(rules, judged_fields),
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": False,
    }


def _judge_fields(
    rules: Rules, fields: dict[str, Any], judges: dict[str, Any], where: str
) -> dict[str, Any]:
    judged_fields = {}
    for name, value in fields.items():
        if name not in judges:
            if any(name.lower() == other.lower() for other in judges) or not is_empty(value):
                raise Denied(f"{where}{name[:40]} may not be set.")
        elif value is not None:
            try:
                judged_fields[name] = judges[name](rules, value)
            except (TypeError, ValueError, AttributeError, KeyError) as error:
                raise Denied(f"{where}{name} cannot be read.") from error
            except Denied as error:
                raise Denied(f"{where}{name}: {error}") from error
    return judged_fields


def is_empty(value: Any) -> bool:
    """Tell whether the value says nothing.

    Docker-py sends many fields as null, false, 0, "" or an empty list.
    """
    return not value or (isinstance(value, list) and not any(value))


def _boolean(_: Rules, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Denied("must be true or false.")
    return value


def _number(lowest: int, highest: int) -> Callable[[Rules, Any], int]:
    def judge(_: Rules, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise Denied(f"must be a number from {lowest} to {highest}.")
        return value

    return judge


def _text(pattern: re.Pattern[str]) -> Callable[[Rules, Any], str]:
    def judge(_: Rules, value: Any) -> str:
        if not isinstance(value, str) or (value and not pattern.fullmatch(value)):
            raise Denied("is not allowed.")
        return value

    return judge


def _texts(_: Rules, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(
        isinstance(text, str) and "\0" not in text for text in value
    ):
        raise Denied("must be a list of texts.")
    return value


def _user(_: Rules, value: Any) -> str:
    if not isinstance(value, str) or (value and not is_unprivileged(value)):
        raise Denied("must be a user's and a group's number, uid:gid, and neither root's.")
    return value


def _image(rules: Rules, value: Any) -> str:
    if not isinstance(value, str) or not (ID.fullmatch(value) or rules.may_run(value)):
        raise Denied("containers are not made from this image.")
    return value if ID.fullmatch(value) else with_tag(value)


def _labels(rules: Rules, value: Any) -> dict[str, str]:
    labels = string_map(value, "Labels")
    check_labels(labels, rules.stack)
    return labels


def _network(rules: Rules, value: Any) -> str:
    if value != "none" and value not in rules.networks:
        raise Denied(f"must be one of {', '.join(rules.networks)}.")
    return str(value)


def _one_of(*choices: str) -> Callable[[Rules, Any], Any]:
    def judge(_: Rules, value: Any) -> Any:
        if any(text not in choices for text in (value if isinstance(value, list) else [value])):
            raise Denied("is not allowed.")
        return value

    return judge


def _binds(rules: Rules, value: Any) -> list[str]:
    for bind in _texts(rules, value):
        source, target, *mode = bind.split(":")
        if (
            not _may_mount(rules, source, read_only=mode == ["ro"])
            or not FOLDER.fullmatch(target)
            or mode not in ([], ["ro"], ["rw"])
        ):
            raise Denied("mounts nothing but the stack's volumes.")
    return list(value)


def _may_mount(rules: Rules, source: Any, *, read_only: bool) -> bool:
    return source in rules.volumes or (read_only and source in rules.read_only)


def _mounts(rules: Rules, value: Any) -> list[dict[str, Any]]:
    return [_judge_fields(rules, mount, MOUNT, "") | _volume(rules, mount) for mount in value]


def _volume(rules: Rules, mount: dict[str, Any]) -> dict[str, Any]:
    if (
        mount.get("Type") != "volume"
        or not _may_mount(rules, mount.get("Source"), read_only=mount.get("ReadOnly") is True)
        or not mount.get("Target")
    ):
        raise Denied("mounts nothing but the stack's volumes.")
    return {"Type": "volume", "Source": mount["Source"]}


def _log(_: Rules, value: Any) -> dict[str, Any]:
    options = string_map(value.get("Config"), "Config")
    if not set(value) <= {"Type", "Config"} or not set(options) <= {
        "max-size",
        "max-file",
        "compress",
    }:
        raise Denied("is not allowed.")
    if value.get("Type", "") not in {"", "json-file", "local"}:
        raise Denied("logs go to files of the engine.")
    return {"Type": value.get("Type", ""), "Config": options}


def _restart(rules: Rules, value: Any) -> dict[str, Any]:
    judges = {
        "Name": _one_of("", "no", "always", "unless-stopped", "on-failure"),
        "MaximumRetryCount": _number(0, 1_000),
    }
    return _judge_fields(rules, value, judges, "")


def _endpoints(rules: Rules, network_config: Any) -> dict[str, Any]:
    """Return the networks that the container joins, without anything else.

    An alias could stand in for another server's name.
    """
    if not isinstance(network_config, dict) or set(network_config) - {"EndpointsConfig"}:
        raise Denied("NetworkingConfig cannot be read.")
    endpoints: dict[str, Any] = {}
    for name, options in (network_config.get("EndpointsConfig") or {}).items():
        if _network(rules, name) and any(
            not is_empty(option) for option in (options or {}).values()
        ):
            raise Denied(f"NetworkingConfig.{name[:40]}: joins by its own name alone.")
        endpoints[name] = {}
    return endpoints


MOUNT = {
    "Type": _one_of("volume"),
    "Source": lambda _, value: str(value),
    "Target": _text(FOLDER),
    "ReadOnly": _boolean,
}

HOST = {
    "NetworkMode": _network,
    "Binds": _binds,
    "Mounts": _mounts,
    "Tmpfs": tmpfs,
    "ReadonlyRootfs": _boolean,
    "Init": _boolean,
    "AutoRemove": _boolean,
    "RestartPolicy": _restart,
    "LogConfig": _log,
    "CapDrop": _texts,
    "SecurityOpt": _one_of("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"),
    "Memory": _number(0, 2**48),
    "MemorySwap": _number(0, 2**48),
    "MemoryReservation": _number(0, 2**48),
    "NanoCpus": _number(0, 1_024 * 10**9),
    "CpuShares": _number(0, 262_144),
    "PidsLimit": _number(0, 100_000),
    "ShmSize": _number(0, SHARED_BYTES),
    "OomScoreAdj": _number(0, 1_000),
    "IpcMode": _one_of("", "private", "none"),
    "CgroupnsMode": _one_of("", "private"),
}
"""The fields of HostConfig that may be set.

Limits, drop of capabilities and no-new-privileges are set whatever was asked.
"""

CONTAINER = {
    "Image": _image,
    "Cmd": _texts,
    "Entrypoint": _texts,
    "Env": _texts,
    "User": _user,
    "WorkingDir": _text(FOLDER),
    "Labels": _labels,
    "Tty": _boolean,
    "AttachStdout": _boolean,
    "AttachStderr": _boolean,
    "StopSignal": _text(SIGNAL),
    "StopTimeout": _number(0, 3_600),
}
"""The fields of a container.

There is no Hostname: it is an alias in the networks' DNS, so it could stand in for another
server's.
"""
