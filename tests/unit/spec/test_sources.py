from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from pipelines.spec.sources import PythonSource, SqlSource

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


def query(text):
    return SqlSource(kind="sql", database="shop", query=text, first=FIRST)


def test_a_query_binds_what_the_driver_takes_for_a_parameter():
    both = query("select * from t where at::date >= :start and at < :end and hour <> '12:30'")
    assert both.parameters == {"start", "end"}
    assert both.binds_interval
    assert not query("select * from t where at >= :start").binds_interval
    assert query(r"select '\:start', a\:\:b from t").parameters == frozenset()
    assert query("select * from snapshot").parameters == frozenset()


@pytest.mark.parametrize("text", ["select :until", "select :starts, :end", "select 'at :noon'"])
def test_a_parameter_that_nothing_is_bound_to_is_refused(text):
    with pytest.raises(ValidationError, match=r"unknown parameter :\w+; only :start and :end"):
        query(text)
