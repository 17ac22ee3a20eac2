"""Search a candidate's settings over folds in time."""

from pipelines.training.search.result import SearchResult
from pipelines.training.search.run import search

__all__ = ["SearchResult", "search"]
