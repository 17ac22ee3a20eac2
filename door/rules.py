"""What a door lets through.

Names of images, volumes and networks, and whose containers it opens.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

OURS = "perennial"
STACK = "perennial.stack"
KEPT = "perennial.kept"
"""The label of containers that the keeper starts again when they were killed.

Its value is the stack's name.
"""

TITLE = "org.opencontainers.image.title"
LABEL = re.compile(
    r"perennial(\.[A-Za-z0-9_.-]{1,128})?|org\.opencontainers\.image\.[a-z0-9.-]{1,64}"
)
"""The labels that others may set.

Compose, for one, takes a container that bears its labels for one of its services.
"""

FOLDER = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
USER = re.compile(r"([0-9]{1,10}):([0-9]{1,10})")
"""A user and a group by number.

A name could be root's in the image, and without a group an unknown user has root's.
"""

ID = re.compile(r"sha256:[0-9a-f]{64}")
"""An image's id, whole: a shorter one could be a name, or another image's tomorrow."""

REFERENCE = re.compile(
    r"[a-z0-9][a-z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._-]*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
)


class Denied(Exception):
    """The door refuses; the text says why."""


@dataclass(frozen=True)
class Rules:
    """A door's rules.

    A pattern of images is a whole reference, or the beginning of some, ending in `*`.
    """

    stack: str
    """Stands as the label perennial.stack on all that is made through the door.

    What bears another one is not touched.
    """
    images: tuple[str, ...]
    """Patterns of the images that containers may be made from and images built upon."""
    builds: tuple[str, ...]
    """Patterns of the tags that may be built and removed. They may be run, too."""
    volumes: tuple[str, ...]
    """Names of the volumes that may be mounted."""
    networks: tuple[str, ...]
    """Names of the networks that containers may join."""
    read_only: tuple[str, ...] = ()
    """Names of further volumes, which may be mounted only to be read."""
    most_memory: int = 16 * 2**30
    """The most bytes of memory, swap included, of one container."""
    most_pids: int = 2_048
    """The most processes and threads of one container."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all that is made through this door."""
        return {OURS: "1", STACK: self.stack}

    def may_run(self, reference: str) -> bool:
        """Tell whether containers may be made from an image of this name."""
        return _matches(reference, self.images + self.builds)

    def may_build(self, reference: str) -> bool:
        """Tell whether an image may be built and removed under this name."""
        return _matches(reference, self.builds)

    def may_run_image(self, image: dict[str, Any]) -> bool:
        """Tell whether containers may be made from the image that the engine describes thus.

        An image that lost its tags to a newer build is known by its title: a step that was resolved
        before goes on.
        """
        labels = (image.get("Config") or {}).get("Labels") or {}
        names = image.get("RepoTags") or [str(labels.get(TITLE, ""))]
        return any(self.may_run(name) for name in names) or self.are_own_labels(labels)

    def are_own_labels(self, labels: dict[str, str] | None) -> bool:
        """Tell whether these are the labels of something that was made through this door."""
        return self.labels.items() <= (labels or {}).items()


def check_labels(labels: dict[str, str], stack: str | None = None) -> None:
    """Raise Denied where a label is not for others to set.

    The own `stack` may be said again, by containers: their image says it.
    """
    for name, value in labels.items():
        if not LABEL.fullmatch(name):
            raise Denied(
                f"The label {name[:80]!r} is none of perennial.* and org.opencontainers.image.*."
            )
        if name == KEPT or (name == STACK and value != stack) or (name == OURS and value != "1"):
            raise Denied(f"The label {name}={value[:40]!r} is not for others to set.")


def is_unprivileged(user: str) -> bool:
    """Tell whether this is a user and a group by number, neither of them root's."""
    match = USER.fullmatch(user)
    return match is not None and int(match[1]) > 0 and int(match[2]) > 0


def _matches(reference: str, patterns: tuple[str, ...]) -> bool:
    if not REFERENCE.fullmatch(reference):
        return False
    full_reference = with_tag(reference)
    return any(
        full_reference.startswith(pattern[:-1])
        if pattern.endswith("*")
        else full_reference == with_tag(pattern)
        for pattern in patterns
    )


def with_tag(reference: str) -> str:
    """Return the reference with the tag that the engine takes where there is none."""
    return reference if ":" in reference.rsplit("/", 1)[-1] else f"{reference}:latest"


def parse_json(text: bytes | str) -> dict[str, Any]:
    """Return the JSON object.

    Raises Denied where it is none, or a key comes twice: two parsers could read two things in it.
    """
    try:
        value = json.loads(text, object_pairs_hook=_refuse_repeated, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Denied("The JSON cannot be read.") from error
    if not isinstance(value, dict):
        raise Denied("The JSON is no object.")
    return value


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise Denied(f"The JSON key {name[:40]!r} comes twice.")
        fields[name] = value
    return fields


def _no_constant(name: str) -> None:
    raise Denied(f"{name} is no JSON.")


def string_map(value: Any, what: str) -> dict[str, str]:
    """Return the value where it is an object of strings (or null). Raises Denied."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Denied(f"{what} must be an object of strings.")
    return value
