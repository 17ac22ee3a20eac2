"""What every entry's content is made of."""

from __future__ import annotations

from typing import Any, TypeVar

from pipelines.refs import Value

V = TypeVar("V", bound=Value)


class Decision(Value):
    """What one entry says. `kind` stands beside it in the entry."""

    kind: str

    def body(self) -> dict[str, Any]:
        """Return the JSON that the entry holds: the fields that were given, without the kind."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"kind"})

    def part(self, kind: type[V]) -> V:
        """Return the fields that this value shares with another kind of value, as that one."""
        return kind.model_validate(self.model_dump(include=set(kind.model_fields)))
