"""The `sql` source: a query with bound :start and :end, on the database that a setting names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import SpecError, Unreachable
from pipelines.settings import database_url
from pipelines.sources.port import Raw
from pipelines.sources.reading import with_times
from pipelines.tables import normalised

if TYPE_CHECKING:
    from pipelines.intervals import Interval
    from pipelines.spec.sources import SqlSource


class Sql:
    """Reads one interval with one query."""

    def __init__(self, source: SqlSource, event_time: str, environ: dict[str, str] | None = None) -> None:
        """Remember the query; the database's URL is looked up when it is read."""
        self._source = source
        self._event_time = event_time
        self._environ = environ

    def read(self, interval: Interval) -> Raw:
        """Return the query's rows; :start and :end are bound as times in UTC without a zone, never pasted into the text."""
        import pandas as pd
        import sqlalchemy as sa

        engine = sa.create_engine(database_url(self._source.database, self._environ))
        bound = [sa.bindparam(name, type_=sa.DateTime()) for name in ("start", "end")]
        values = {"start": interval.start.replace(tzinfo=None), "end": interval.end.replace(tzinfo=None)}
        shown = f"The database {self._source.database!r}"
        try:
            with engine.connect() as connection:
                frame = pd.read_sql_query(
                    sa.text(self._source.query).bindparams(*bound), connection, params=values, dtype_backend="pyarrow"
                )
        except sa.exc.OperationalError as error:
            raise Unreachable(f"{shown} cannot be read: {error.orig}.", remedy="check the database and its setting.") from error
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", error)
            raise SpecError(f"{shown} refuses the query: {cause}.", remedy="mend `source.query`.") from error
        finally:
            engine.dispose()
        return Raw({self._source.main: with_times(normalised(frame), self._event_time)})
