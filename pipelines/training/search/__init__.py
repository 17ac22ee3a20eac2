"""Search a candidate's settings over folds in time."""

from pipelines.training.search.board import Board
from pipelines.training.search.ground import Ground
from pipelines.training.search.result import SearchResult
from pipelines.training.search.run import search

__all__ = ["Board", "Ground", "SearchResult", "search"]
