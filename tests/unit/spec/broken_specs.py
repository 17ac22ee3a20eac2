"""The error that a changed spec gives."""

import pytest
import yaml

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.worlds import SPEC


def broken(change) -> str:
    """Return the error that the changed spec gives."""
    body = yaml.safe_load(SPEC)
    change(body)
    with pytest.raises(SpecError) as caught:
        parse_spec(yaml.safe_dump(body).encode(), "models/sales/model.yaml")
    return str(caught.value)
