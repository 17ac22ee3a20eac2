"""The `python` source: a function in the model's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.errors import BadData, PerennialError, SpecError, Unreachable
from pipelines.sources.port import Raw
from pipelines.tables import kept_tables, user_function

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.intervals import Interval
    from pipelines.spec.sources import PythonSource


class Function:
    """Calls `function(start, end)` of the model's source.py."""

    def __init__(self, source: PythonSource, folder: Path, *, most: int | None = None) -> None:
        """Load the function; its tables may have `most` bytes. Raises SpecError where file or function are missing or broken."""
        self._source = source
        self._most = most
        self._shown = f"{folder.parent.name}/{folder.name}/source.py"
        self._read = user_function(
            folder / "source.py", source.function, f"`{source.function}(start, end)` returns the rows of an interval"
        )

    def read(self, interval: Interval) -> Raw:
        """Return the function's tables. What pandas or Arrow cannot parse becomes a problem; OSError means unreachable."""
        import pandas as pd
        from pyarrow import ArrowInvalid

        try:
            answer = self._read(interval.start, interval.end)
            named = self._named(answer)
        except PerennialError:
            raise
        except (pd.errors.ParserError, pd.errors.EmptyDataError, ArrowInvalid, UnicodeDecodeError) as error:
            return Raw(problem=f"{self._shown}: {type(error).__name__}: {error}")
        except OSError as error:
            raise Unreachable(f"{self._shown}: {type(error).__name__}: {error}.", remedy="check what the function reads from.") from error
        except Exception as error:
            raise SpecError(f"{self._shown}: {type(error).__name__}: {error}.", remedy="mend the function.") from error
        try:
            return Raw(kept_tables(named, self._shown, self._most))
        except BadData as error:
            return Raw(problem=str(error))

    def _named(self, answer: Any) -> dict[str, Any]:
        expected = {self._source.main, *self._source.side}
        tables = answer if isinstance(answer, dict) else {self._source.main: answer}
        if set(tables) != expected:
            raise SpecError(
                f"{self._shown} returned the tables {sorted(tables)}, the spec names {sorted(expected)}.",
                remedy="name them in `source.main` and `source.side`.",
            )
        return tables
