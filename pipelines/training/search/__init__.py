"""Search a candidate's settings over folds in time."""

from pipelines.training.search.result import SearchResult
from pipelines.training.search.run import search
from pipelines.training.search.trials import Ground

__all__ = ["Ground", "SearchResult", "search"]
