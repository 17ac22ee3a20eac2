"""How the rows of one release stand in the inference log.

Which inputs, and what becomes of personal ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.inference_log.format import Header, LoggedColumn
from pipelines.tasks import has_named_classes

if TYPE_CHECKING:
    from pipelines.bundle.schema import InputSchema
    from pipelines.inference_log.personal_data import PersonalKey
    from serving.decode import PredictionRequest
    from serving.loaded_release import LoadedRelease


class LogForm:
    """The header of a release's segments, and the way from a request to its line."""

    def __init__(self, loaded_release: LoadedRelease, key: PersonalKey) -> None:
        """Work out which inputs are hashed or left out.

        Raises as `PersonalKey.hash_of` where its key is needed and cannot be had.
        """
        schema = loaded_release.bundle.manifest.inputs
        self._key = key
        self._multiclass = has_named_classes(schema.task)
        self._key_personal = schema.key_personal
        self._positions_kept = [
            (i, c.personal == "hash") for i, c in enumerate(schema.columns) if c.personal != "drop"
        ]
        self._plain = len(self._positions_kept) == len(schema.columns) and not any(
            is_hashed for _, is_hashed in self._positions_kept
        )
        if self._key_personal == "hash" or any(is_hashed for _, is_hashed in self._positions_kept):
            key.hash_of("")  # now, not in the middle of a request
        self.header = Header(
            kind="predictions",
            model=loaded_release.release.model,
            version=loaded_release.release.version,
            release=loaded_release.release.number,
            task=schema.task,
            columns=tuple(
                LoggedColumn(c.name, "string" if c.personal else c.kind)
                for c in schema.columns
                if c.personal != "drop"
            ),
            classes=tuple(schema.classes or ()) if self._multiclass else (),
        )

    def rows(self, request: PredictionRequest) -> list[Any]:
        """Return the rows' values as they are logged, in the order of the header's columns."""
        if self._plain:
            return request.rows
        return [
            [self._hash(row[i]) if personal else row[i] for i, personal in self._positions_kept]
            for row in request.rows
        ]

    def keys(self, request: PredictionRequest) -> list[str | None] | None:
        """Return the rows' keys as they are logged."""
        if request.keys is None or self._key_personal is None:
            return request.keys
        return None if self._key_personal == "drop" else [self._hash(key) for key in request.keys]

    def predictions(self, answers: list[Any]) -> list[Any]:
        """Return the answers as they are logged: of several classes, the probabilities alone."""
        return (
            [list(answer["probabilities"].values()) for answer in answers]
            if self._multiclass
            else answers
        )

    # A flag may be a personal value.
    def _hash(self, value: str | float | bool | None) -> str | None:  # noqa: FBT001
        return None if value is None else self._key.hash_of(value)


def key_in_log(schema: InputSchema, personal: PersonalKey, key: str) -> str | None:
    """Return a row's key as the log knows it; None where keys are not logged."""
    if schema.key_personal is None:
        return key
    return None if schema.key_personal == "drop" else personal.hash_of(key)
