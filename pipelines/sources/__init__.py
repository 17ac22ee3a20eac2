"""Sources: where raw rows come from, each read one interval at a time."""

from pipelines.sources.catalogue import open_source
from pipelines.sources.port import Raw, Source

__all__ = ["Raw", "Source", "open_source"]
