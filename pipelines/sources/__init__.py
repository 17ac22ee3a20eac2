"""Sources: where raw rows come from, each read one interval at a time."""

from pipelines.sources.port import Raw, Source, open_source

__all__ = ["Raw", "Source", "open_source"]
