"""The packages of `requires:`: a name and a version each, and nothing that an installer obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, Field, StringConstraints

from pipelines.plain_errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

BOUNDS_FROM_ABOVE = frozenset({"==", "~=", "<", "<="})
"""Without one of these a package would be another one after each release of its authors."""


def parse_requirement(text: str) -> Requirement:
    """Return the requirement. Raises ValueError in words for what names no package with a version.

    Paths, URLs, options of an installer and markers are refused: they would install what nobody
    reviewed, or another thing on another machine.
    """
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        msg = "names no package; write a name with its version, as catboost==1.2.8"
        raise ValueError(msg) from error
    if requirement.url is not None:
        msg = "names an address; write name and version, and let the index have it"
        raise ValueError(msg)
    if requirement.marker is not None:
        msg = "has a condition; remove it: every machine gets the same packages"
        raise ValueError(msg)
    operators = {bound.operator for bound in requirement.specifier}
    if "===" in operators or not operators & BOUNDS_FROM_ABOVE:
        msg = f"says no version; write {requirement.name}==1.2.3, or ~=1.2, or a bound (<)"
        raise ValueError(msg)
    return requirement


def _in_one_form(text: str) -> str:
    return str(parse_requirement(text))


RequirementText = Annotated[str, StringConstraints(max_length=200), AfterValidator(_in_one_form)]
Requirements = Annotated[list[RequirementText], Field(max_length=50)]


def requirement_problems(requirements: Sequence[str]) -> list[Problem]:
    """Return which packages are named more than once."""
    names = [canonicalize_name(parse_requirement(text).name) for text in requirements]
    return [
        Problem(("requires", place), f"{name} is named twice; write its bounds into one entry")
        for place, name in enumerate(names)
        if name in names[:place]
    ]
