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
    """Yield every reference within a JSON value, in its order and at any depth."""
    pending = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, dict):
            if "uri" in inner and "sha256" in inner:
                # The user's own data may stand under the same two names
                with contextlib.suppress(ValidationError):
                    yield Ref(uri=inner["uri"], sha256=inner["sha256"])
            inner = list(inner.values())
        if isinstance(inner, list):
            pending += reversed(inner)
