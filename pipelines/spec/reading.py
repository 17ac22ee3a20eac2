"""YAML as data and nothing else.

Texts, numbers, dates, lists and mappings, each with the line on which it stands.

Refused, each with its line: aliases (nine lines can expand to gigabytes), tags, merging, repeated
keys, keys that are no texts, very many or very deep values, and numbers that YAML reads as another
one than was written (`010` is 8, `1:30` is 90).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1_000_000
MAX_VALUES = 50_000
MAX_DEPTH = 30
MAX_DIGITS = 40

# the C class exists only where libyaml does
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SAME_NUMBER = re.compile(r"^[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+)$")
_EXPONENT = re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")
"""Numbers such as 1e-4, which YAML 1.1 takes for texts since they have no dot and sign."""

_REMEDY = "mend the line; a YAML linter shows the column"


class NotYaml(ValueError):
    """The text is no YAML, or holds what no spec may hold.

    `line` (None: not known), what is wrong, what to do.
    """

    def __init__(self, line: int | None, why: str, remedy: str = _REMEDY) -> None:
        """Keep the parts."""
        super().__init__(f"{why}; {remedy}")
        self.line = line


@dataclass(frozen=True)
class Document:
    """What a YAML text says, and where.

    The line (from 1) of each key and entry stands under its path from the top.
    """

    body: Any
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)

    def line(self, path: tuple[str | int, ...]) -> int:
        """Return the line of the value, or of the nearest thing around it that has one."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(data: bytes) -> Document:
    """Return the document in the bytes. Raises NotYaml, and nothing else."""
    if len(data) > MAX_BYTES:
        raise NotYaml(None, f"more than {MAX_BYTES:,} bytes are too many", "keep it small")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotYaml(
            line, f"the byte 0x{data[error.start]:02x} is no UTF-8", "save the file as UTF-8"
        ) from error
    try:
        _refuse_bombs(text)
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            lines: dict[tuple[str | int, ...], int] = {}
            return Document(None if node is None else _value(loader, node, (), lines), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise NotYaml(
            error.problem_mark.line + 1 if error.problem_mark else None, _reason(text, error)
        ) from error
    except yaml.YAMLError as error:
        raise NotYaml(
            None,
            str(getattr(error, "reason", None) or error).splitlines()[0],
            "remove the character",
        ) from error


def _reason(text: str, error: yaml.MarkedYAMLError) -> str:
    """Return what a parser's error says, and that there is a tab where there is one."""
    why = str(error.problem or error.context)
    lines = text.split("\n")
    at = error.problem_mark.line if error.problem_mark else len(lines)
    tab = at < len(lines) and "\t" in lines[at]
    return f"{why} (the line holds a tab: YAML wants blanks)" if tab else why


def _refuse_bombs(text: str) -> None:
    """Raise NotYaml where the values would take very much memory or depth.

    Nothing is built before.
    """
    depth = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
    for count, event in enumerate(events):
        line = event.start_mark.line + 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
            event, yaml.CollectionEndEvent
        )
        if isinstance(event, yaml.AliasEvent):
            raise NotYaml(line, "aliases (*name) are not allowed", "write the value out")
        if getattr(event, "tag", None) is not None:
            raise NotYaml(
                line,
                f"tags ({str(event.tag).replace(_TAG, '!!')[:40]}) are not allowed",
                "write the value without it",
            )
        if count > MAX_VALUES:
            raise NotYaml(line, f"more than {MAX_VALUES:,} values are too many", "keep it small")
        if depth > MAX_DEPTH:
            raise NotYaml(
                line,
                f"more than {MAX_DEPTH} lists and mappings within one another are too many",
                "keep it flat",
            )


def _value(
    loader: Any, node: Any, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int]
) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [
            _value(loader, child, (*path, place), lines) for place, child in enumerate(node.value)
        ]
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines)
    return _scalar(loader, node, path)


def _mapping(
    loader: Any,
    node: yaml.MappingNode,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, child in node.value:
        line, key = key_node.start_mark.line + 1, getattr(key_node, "value", "")
        if key_node.tag == f"{_TAG}merge":
            raise NotYaml(line, "merging (<<) is not allowed", "write the values out")
        if key_node.tag != f"{_TAG}str" or not isinstance(key, str):
            name = (
                repr(key[:MAX_DIGITS]) if isinstance(key, str) else "which is a list or a mapping"
            )
            raise NotYaml(line, f"the key {name} is no text", "write it in quotes")
        if key in mapping:
            raise NotYaml(line, f"the key {key[:80]!r} stands twice", "remove one")
        lines[*path, key] = line
        mapping[key] = _value(loader, child, (*path, key), lines)
    return mapping


def _scalar(loader: Any, node: Any, path: tuple[str | int, ...]) -> Any:
    """Return a single value, where it is the one that was written."""
    line, text, kind = node.start_mark.line + 1, str(node.value), node.tag.removeprefix(_TAG)
    if kind == "str":
        plain = not node.style and len(text) <= MAX_DIGITS and _EXPONENT.match(text)
        return _finite(float(text), line, path, text) if plain else text
    if kind in {"int", "float"} and len(text) > MAX_DIGITS:
        raise NotYaml(
            line,
            f"{_where(path)}a number of {len(text)} characters is too long",
            "write it in quotes if it is a text",
        )
    if (kind == "int" and not _SAME_NUMBER.match(text)) or (kind == "float" and ":" in text):
        raise NotYaml(
            line,
            f"{_where(path)}YAML reads {text!r} as another number",
            "write a plain decimal number, or put it in quotes",
        )
    if kind not in {"null", "bool", "int", "float", "timestamp"}:
        raise NotYaml(
            line,
            f"{_where(path)}{text[:MAX_DIGITS]!r} has a meaning of its own in YAML",
            "put it in quotes",
        )
    try:
        value = loader.construct_object(node)
    except (ValueError, OverflowError) as error:
        raise NotYaml(
            line,
            f"{_where(path)}{text[:MAX_DIGITS]!r} is no {kind}: {error}",
            "mend it, or put it in quotes",
        ) from error
    return _finite(value, line, path, text) if kind == "float" else value


def _finite(value: float, line: int, path: tuple[str | int, ...], text: str) -> float:
    if not math.isfinite(value):
        raise NotYaml(line, f"{_where(path)}must be a finite number, found {text}", "write one")
    return value


def _where(path: tuple[str | int, ...]) -> str:
    """Return how an error begins that is about the value at a path."""
    return f"{'.'.join(map(str, path))}: " if path else ""
