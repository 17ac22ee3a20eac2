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
from typing import Any

import yaml

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
        loader = _LOADER(text)
        try:
            return _Reader(loader).read()
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


class _Reader:
    """Makes the values of a text from the parser's events, one after the other.

    So the text is gone through once, and what would take very much memory or depth is refused
    before it is built.
    """

    def __init__(self, loader: Any) -> None:
        """Begin at the loader's first event."""
        self._loader = loader
        self._first = loader.yaml_implicit_resolvers
        """By the first letter, what else than a text an unquoted value may be."""
        self._count = 0
        self._lines: dict[tuple[str | int, ...], int] = {}

    def read(self) -> Document:
        """Return the one document of the text; a text without one says None."""
        self._next()  # the stream's start
        if type(self._next()) is yaml.StreamEndEvent:
            return Document(None)
        event = self._next()
        self._lines[()] = _line(event)
        body = self._value(event, ())
        self._next()  # the document's end
        following = self._next()
        if type(following) is not yaml.StreamEndEvent:
            raise NotYaml(_line(following), "but found another document")
        return Document(body, self._lines)

    def _next(self) -> Any:
        event = self._loader.get_event()
        if self._count > MAX_VALUES:
            raise NotYaml(
                _line(event), f"more than {MAX_VALUES:,} values are too many", "keep it small"
            )
        self._count += 1
        if type(event) is yaml.AliasEvent:
            raise NotYaml(_line(event), "aliases (*name) are not allowed", "write the value out")
        if getattr(event, "tag", None) is not None:
            raise NotYaml(
                _line(event),
                f"tags ({str(event.tag).replace(_TAG, '!!')[:40]}) are not allowed",
                "write the value without it",
            )
        return event

    def _value(self, event: Any, path: tuple[str | int, ...]) -> Any:
        if type(event) is yaml.ScalarEvent:
            return _scalar(self._loader, event, self._kind(event), path)
        if len(path) >= MAX_DEPTH:
            raise NotYaml(
                _line(event),
                f"more than {MAX_DEPTH} lists and mappings within one another are too many",
                "keep it flat",
            )
        if type(event) is yaml.MappingStartEvent:
            return self._mapping(path)
        return self._sequence(path)

    def _kind(self, event: yaml.ScalarEvent) -> str:
        """Return what YAML takes a single value for, such as `str`."""
        if not event.implicit[0] or event.value[:1] not in self._first:
            return "str"
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        return str(tag).removeprefix(_TAG)

    def _sequence(self, path: tuple[str | int, ...]) -> list[Any]:
        values: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            place = (*path, len(values))
            self._lines[place] = _line(event)
            values.append(self._value(event, place))
        return values

    def _mapping(self, path: tuple[str | int, ...]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while type(event := self._next()) is not yaml.MappingEndEvent:
            key = self._key(event)
            if key in values:
                raise NotYaml(_line(event), f"the key {key[:80]!r} stands twice", "remove one")
            place = (*path, key)
            self._lines[place] = _line(event)
            values[key] = self._value(self._next(), place)
        return values

    def _key(self, event: Any) -> str:
        """Return a mapping's key. Raises NotYaml where it is no text."""
        if type(event) is not yaml.ScalarEvent:
            name = "which is a list or a mapping"
        else:
            key, kind = str(event.value), self._kind(event)
            if kind == "str":
                return key
            if kind == "merge":
                raise NotYaml(_line(event), "merging (<<) is not allowed", "write the values out")
            name = repr(key[:MAX_DIGITS])
        raise NotYaml(_line(event), f"the key {name} is no text", "write it in quotes")


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _scalar(loader: Any, event: yaml.ScalarEvent, kind: str, path: tuple[str | int, ...]) -> Any:
    """Return a single value, where it is the one that was written."""
    line, text = _line(event), str(event.value)
    if kind == "str":
        plain = not event.style and len(text) <= MAX_DIGITS and _EXPONENT.match(text)
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
        value = loader.construct_object(yaml.ScalarNode(f"{_TAG}{kind}", text))
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
