"""The Versions port: feature tables as git and DVC hold them."""

from pipelines.versions.memory import MemoryVersions
from pipelines.versions.port import FeatureFile, Versions, version_hash

__all__ = ["FeatureFile", "MemoryVersions", "Versions", "version_hash"]
