"""What counts as a reference to an object of the store: one answer for whoever verifies or removes.

A reference is any {"uri", "sha256"} pair, wherever it stands and whatever stands beside the two
names: a new kind of manifest is understood without a word here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipelines.refs import Ref

if TYPE_CHECKING:
    from collections.abc import Iterator


def references(value: Any) -> Iterator[Ref]:
    """Yield every reference within a JSON value."""
    if isinstance(value, dict):
        if "uri" in value and "sha256" in value:
            # The user's own data may stand under the same two names
            with contextlib.suppress(ValidationError):
                yield Ref(uri=value["uri"], sha256=value["sha256"])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)
