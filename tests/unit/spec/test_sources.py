from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from pipelines.spec.sources import PythonSource

FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def source(**more):
    return PythonSource(kind="python", first=FIRST, **more)


@pytest.mark.parametrize("side", [{"Events": None}, {"shops": None, "Shops": None}])
def test_tables_whose_names_differ_in_case_only_are_refused(side):
    with pytest.raises(ValidationError, match="must differ in more than case"):
        source(side=side)
    assert source(side={"shops": None}).side == {"shops": None}


def test_a_read_may_be_given_a_time_of_its_own():
    assert source(timeout="30m").timeout == timedelta(minutes=30)
    assert source().timeout is None
    with pytest.raises(ValidationError, match="longer than nothing"):
        source(timeout="0s")
