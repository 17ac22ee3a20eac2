"""docs/spec.md says what the spec says."""

import pytest

from tools.spec_table import PAGE, PARTS, page, sentences


def test_the_page_is_in_step_with_the_spec():
    assert PAGE.read_text() == page(), "run python -m tools.spec_table"


@pytest.mark.parametrize(("title", "kind"), PARTS)
def test_every_field_has_a_sentence(title, kind):
    names = [field.alias or name for name, field in kind.model_fields.items()]
    assert [name for name in names if not sentences(kind).get(name)] == []
