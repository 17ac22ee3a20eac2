"""Read `model.yaml` safely, and say what is wrong in words: file, field, remedy."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from pipelines.errors import SpecError
from pipelines.spec.model import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

SPEC_FILE = "model.yaml"
MAX_BYTES = 1_000_000
MAX_NODES = 50_000


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the C class exists only where libyaml does
    """A safe loader that refuses repeated keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 -- PyYAML's signature
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key if isinstance(key, str) else id(key_node))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def model_names(models: Path) -> list[str]:
    """Return the names of the folders under `models/` that hold a `model.yaml`, sorted."""
    return sorted(p.parent.name for p in models.glob(f"*/{SPEC_FILE}"))


def load_spec(models: Path, name: str) -> Spec:
    """Return the spec of one model. Raises SpecError naming file, field and remedy."""
    path = models / name / SPEC_FILE
    shown = f"{models.name}/{name}/{SPEC_FILE}"
    if name not in model_names(models):
        close = difflib.get_close_matches(name, model_names(models), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known models: {', '.join(model_names(models)) or 'none'}."
        raise SpecError(f"There is no {shown}.", remedy=hint)
    spec = parse_spec(path.read_bytes(), shown)
    if spec.name != name:
        raise SpecError(f"{shown}: name: {spec.name!r} is not the folder's name.", remedy=f"write `name: {name}` or rename the folder.")
    return spec


def _marked(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _refuse_bombs(text: bytes) -> None:
    """Raise where the YAML has aliases (nine lines can expand to gigabytes) or very many values, before anything is built."""
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.AliasEvent):
            raise _marked("aliases (*name) are not allowed", event.start_mark)
        if count > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values")


def parse_spec(text: bytes, shown: str) -> Spec:
    """Return the spec in a YAML text; `shown` is the file's name in errors."""
    if len(text) > MAX_BYTES:
        raise SpecError(f"{shown}: {len(text)} bytes are too many.", remedy=f"keep it below {MAX_BYTES} bytes.")
    try:
        _refuse_bombs(text)
        body = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a subclass of the safe loader
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        where = f" line {error.problem_mark.line + 1}:" if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark else ""
        why = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error) or type(error).__name__
        raise SpecError(f"{shown}:{where} not readable as YAML: {why}.", remedy="mend the line; a YAML linter shows the column.") from error
    if not isinstance(body, dict):
        raise SpecError(f"{shown}: expected keys and values at the top.", remedy="see docs/add-a-model.md for a whole example.")
    try:
        return Spec.model_validate(body)
    except ValidationError as error:
        raise SpecError(f"{shown}: " + " | ".join(_in_words(e) for e in error.errors(include_url=False))) from error


def load_all(models: Path) -> tuple[dict[str, Spec], dict[str, SpecError]]:
    """Return the good specs and the errors of the broken ones, both by model name: a broken spec breaks only itself."""
    good: dict[str, Spec] = {}
    broken: dict[str, SpecError] = {}
    for name in model_names(models):
        try:
            good[name] = load_spec(models, name)
        except SpecError as error:
            broken[name] = error
    return good, broken


def _in_words(error: ErrorDetails) -> str:
    """Return one validation error as `field: what is wrong; remedy`."""
    tags = {"files", "http", "sql", "python"}
    field = ".".join(str(part) for i, part in enumerate(error["loc"]) if not (i == 1 and part in tags)) or "the spec"
    if error["type"] == "extra_forbidden":
        wrong = str(error["loc"][-1])
        close = difflib.get_close_matches(wrong, sorted(set(_all_fields(Spec))), n=1)
        return f"{field}: unknown key; " + (f"did you mean {close[0]!r}?" if close else "remove it")
    if error["type"] == "missing":
        return f"{field}: missing; add it"
    if error["type"] == "string_pattern_mismatch":
        return f"{field}: {error['input']!r} does not match {error.get('ctx', {}).get('pattern')}"
    return f"{field}: {error['msg'].removeprefix('Value error, ')} (found {str(error['input'])[:80]!r})"


def _all_fields(model: type[BaseModel]) -> Iterator[str]:
    definitions = model.model_json_schema().get("$defs", {})
    for schema in (model.model_json_schema(), *definitions.values()):
        yield from schema.get("properties", {})
