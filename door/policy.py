"""What may be asked of the engine.

A closed list of requests, each with the parameters that it may have.

`judge` is a pure function. What it cannot know, whose container or image that is, it asks for
(`EngineRequest.subject`), and `judge_description` decides on the engine's answer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlencode

from door import creation
from door.rules import ID, Denied, Rules, check_labels, is_unprivileged, parse_json, string_map

if TYPE_CHECKING:
    from collections.abc import Callable

Body = Literal["none", "json", "context"]

VERSION = r"(?P<version>/v1\.(?:4[0-9]|5[0-9]))?"
CONTAINER = r"/containers/(?P<container>[A-Za-z0-9][A-Za-z0-9_.-]{0,254})"
IMAGE = r"/images/(?P<image>[a-z0-9][A-Za-z0-9_.:/-]{0,254})"
TARGET = re.compile(r"[A-Za-z0-9_.:/-]{1,600}")
"""A path as docker-py writes it. Nothing in it is encoded: what is not, cannot be decoded twice."""


@dataclass(frozen=True)
class Subject:
    """The container or image that the engine must describe before a request goes on."""

    kind: Literal["containers", "images"]
    name: str
    purpose: Literal["touch", "run", "remove"]

    @property
    def path(self) -> str:
        """Where the engine describes it."""
        return f"/{self.kind}/{self.name}/json"


@dataclass(frozen=True)
class EngineRequest:
    """A request that may go on, as it is written to the engine.

    `path` may hold {id}, for the id of what `subject` names.

    `container` is one to be made: from the image that was found, by its id, so that no other one
    can take its name meanwhile.
    """

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    container: dict[str, Any] | None = None
    subject: Subject | None = None

    def target(self, identifier: str = "") -> str:
        """Return path and query, with the id that was found."""
        path = self.path.replace("{id}", identifier)
        return f"{path}?{urlencode(self.query)}" if self.query else path

    def body(self, identifier: str = "") -> bytes:
        """Return the body, made from the image with the id that was found."""
        return (
            b""
            if self.container is None
            else json.dumps({**self.container, "Image": identifier}).encode()
        )


@dataclass(frozen=True)
class Endpoint:
    """One request of the engine's API.

    `query` says for each parameter how it is judged; `needs` names those that must come.
    """

    method: str
    path: str
    query: dict[str, Callable[[Rules, str], str]] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    body: Body = "none"
    purpose: Literal["touch", "run", "remove"] = "touch"

    def matches(self, method: str, path: str) -> re.Match[str] | None:
        """Return the match, where this is the request."""
        return re.fullmatch(VERSION + self.path, path) if method == self.method else None


def expected_body(method: str, target: str) -> Body:
    """Return what body the request may have. Raises Denied where there is no such request."""
    return _endpoint(method, target)[0].body


def judge(rules: Rules, method: str, target: str, body: bytes = b"") -> EngineRequest:
    """Return the request as it may go on (a build's context is judged apart).

    Raises Denied saying why not.
    """
    endpoint, match = _endpoint(method, target)
    query = _query(rules, endpoint, target.partition("?")[2])
    if endpoint.body != "json" and body:
        raise Denied("This request has no body.")
    path, subject, container = match[0], None, None
    parts = match.groupdict()
    if name := parts.get("container"):
        subject = Subject("containers", name, "touch")
        path = path[: match.start("container")] + "{id}" + path[match.end("container") :]
    elif name := parts.get("image"):
        subject = _about_image(rules, name, endpoint.purpose)
    elif endpoint.body == "json":
        container = creation.rewrite(rules, body)
        subject = Subject("images", container["Image"], "run")
    query.update(FORCED[endpoint.path](rules, query) if endpoint.path in FORCED else {})
    return EngineRequest(method, path, query, container, subject)


def judge_description(rules: Rules, subject: Subject, description: dict[str, Any]) -> str:
    """Return the id of what the engine describes. Raises Denied where it is not this stack's."""
    if subject.kind == "containers":
        is_allowed = rules.are_own_labels((description.get("Config") or {}).get("Labels"))
    elif subject.purpose == "run":
        is_allowed = rules.may_run_image(description)
        user = str((description.get("Config") or {}).get("User") or "root")
        if is_allowed and not is_unprivileged(user):
            raise Denied(
                f"{subject.name[:80]} runs as {user[:40]!r}; an image's USER must be uid:gid by"
                " number, and neither root's."
            )
    else:
        tags, labels = (
            description.get("RepoTags") or [],
            (description.get("Config") or {}).get("Labels"),
        )
        is_allowed = rules.are_own_labels(labels) and all(rules.may_build(tag) for tag in tags)
    if not is_allowed or not isinstance(description.get("Id"), str):
        raise Denied(f"{subject.name[:80]} was not made through this door.")
    return str(description["Id"])


def _about_image(
    rules: Rules, name: str, purpose: Literal["touch", "run", "remove"]
) -> Subject | None:
    if not (ID.fullmatch(name) or rules.may_run(name)):
        raise Denied("This image is none of the stack's.")
    return Subject("images", name, purpose) if purpose == "remove" or ID.fullmatch(name) else None


def _endpoint(method: str, target: str) -> tuple[Endpoint, re.Match[str]]:
    path = target.partition("?")[0]
    if not TARGET.fullmatch(path) or any(part in {"", ".", ".."} for part in path.split("/")[1:]):
        raise Denied("The path is none that this door knows.")
    for endpoint in ENDPOINTS:
        if match := endpoint.matches(method, path):
            return endpoint, match
    raise Denied("The door does not let this request through.")


def _query(rules: Rules, endpoint: Endpoint, text: str) -> dict[str, str]:
    try:
        pairs = (
            parse_qsl(
                text,
                keep_blank_values=True,
                strict_parsing=True,
                max_num_fields=40,
                errors="strict",
            )
            if text
            else []
        )
    except ValueError as error:
        raise Denied("The query cannot be read.") from error
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            raise Denied(f"The parameter {name[:40]!r} comes twice.")
        if name not in endpoint.query:
            raise Denied(f"The parameter {name[:40]!r} may not be set.")
        try:
            parameters[name] = endpoint.query[name](rules, value)
        except Denied as error:
            raise Denied(f"{name}: {error}") from error
    if absent := [name for name in endpoint.needs if not parameters.get(name)]:
        raise Denied(f"The parameter {absent[0]} must be there.")
    return parameters


def _flag(_: Rules, value: str) -> str:
    if value.lower() not in {"", "0", "1", "true", "false"}:
        raise Denied("must be true or false.")
    return "1" if value.lower() in {"1", "true"} else "0"


def _never(rules: Rules, value: str) -> str:
    if _flag(rules, value) == "1":
        raise Denied("may not be set.")
    return "0"


def _match_pattern(pattern: str) -> Callable[[Rules, str], str]:
    expression = re.compile(pattern)

    def judge_text(_: Rules, value: str) -> str:
        if not expression.fullmatch(value):
            raise Denied("is not allowed.")
        return value

    return judge_text


def _tag(rules: Rules, value: str) -> str:
    if not rules.may_build(value):
        raise Denied(f"only {', '.join(rules.builds)} may be built.")
    return value


def _labels(rules: Rules, value: str) -> str:
    labels = string_map(parse_json(value), "labels")
    check_labels(labels)
    return json.dumps(labels | rules.labels)


def _filters(_: Rules, value: str) -> str:
    """Return the filters: a list of texts for each name, which is what docker-py sends."""
    filters = parse_json(value)
    for name, values in filters.items():
        texts = isinstance(values, list) and all(isinstance(text, str) for text in values)
        if (
            name
            not in {
                "id",
                "name",
                "label",
                "status",
                "reference",
                "dangling",
                "before",
                "since",
            }
            or not texts
        ):
            raise Denied(f"the filter {name[:40]!r} is not allowed.")
    return json.dumps(filters)


def _own_filters(rules: Rules, query: dict[str, str]) -> dict[str, str]:
    """Return the filters that leave only what was made through this door."""
    filters = parse_json(query.get("filters") or "{}")
    labels = [
        *filters.get("label", []),
        *(f"{name}={value}" for name, value in rules.labels.items()),
    ]
    return {"filters": json.dumps({**filters, "label": labels})}


def _build_options(rules: Rules, query: dict[str, str]) -> dict[str, str]:
    return {
        "labels": query.get("labels") or json.dumps(rules.labels),
        "networkmode": "none",
        "pull": "0",
        "version": "1",
    }


FORCED: dict[str, Callable[[Rules, dict[str, str]], dict[str, str]]] = {
    "/containers/json": _own_filters,
    "/images/json": _own_filters,
    "/build": _build_options,
}
"""What the door sets in a query itself, whatever was asked."""

NUMBER = _match_pattern(r"-?[0-9]{1,10}")
TIME = _match_pattern(r"[0-9]{1,12}(\.[0-9]{1,9})?")
LIST = {"all": _flag, "size": _flag, "limit": NUMBER, "trunc_cmd": _flag, "filters": _filters}
BUILD = {
    "t": _tag,
    "labels": _labels,
    "networkmode": _match_pattern("none"),
    "dockerfile": _match_pattern("Dockerfile"),
    "nocache": _flag,
    "rm": _flag,
    "forcerm": _flag,
    "q": _flag,
    "pull": _never,
    "remote": _match_pattern(""),
}

ENDPOINTS = (
    Endpoint("GET", "/_ping"),
    Endpoint("HEAD", "/_ping"),
    Endpoint("GET", "/version"),
    Endpoint("GET", "/images/json", {"all": _flag, "only_ids": _flag, "filters": _filters}),
    Endpoint("GET", IMAGE + "/json", purpose="run"),
    Endpoint("DELETE", IMAGE, {"force": _flag, "noprune": _flag}, purpose="remove"),
    Endpoint("POST", "/build", BUILD, needs=("t", "networkmode"), body="context"),
    Endpoint("GET", "/containers/json", LIST),
    Endpoint(
        "POST",
        "/containers/create",
        {"name": _match_pattern(creation.NAME.pattern)},
        needs=("name",),
        body="json",
    ),
    Endpoint("GET", CONTAINER + "/json", {"size": _flag}),
    Endpoint(
        "GET",
        CONTAINER + "/logs",
        dict.fromkeys(("stdout", "stderr", "follow", "timestamps"), _flag)
        | {
            "tail": _match_pattern("all|[0-9]{1,9}"),
            "since": TIME,
            "until": TIME,
        },
    ),
    Endpoint(
        "POST",
        CONTAINER + "/attach",
        dict.fromkeys(("stdout", "stderr", "stream", "logs"), _flag) | {"stdin": _never},
    ),
    Endpoint("POST", CONTAINER + "/start"),
    Endpoint("POST", CONTAINER + "/stop", {"t": NUMBER}),
    Endpoint("POST", CONTAINER + "/kill", {"signal": _match_pattern(creation.SIGNAL.pattern)}),
    Endpoint(
        "POST", CONTAINER + "/wait", {"condition": _match_pattern("not-running|next-exit|removed")}
    ),
    Endpoint("DELETE", CONTAINER, {"v": _flag, "force": _flag, "link": _never}),
)
"""Everything that may be asked of the engine."""
