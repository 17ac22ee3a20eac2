"""The HTML templates that stand beside the code: how a page is made of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.plurals import how_many

if TYPE_CHECKING:
    from pathlib import Path


def fill(template: Path, **values: Any) -> str:
    """Return what a template makes of the values, each escaped; the same values, the same text.

    A template may call `how_many` for a number with its noun.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["how_many"] = how_many
    return environment.get_template(template.name).render(values)
