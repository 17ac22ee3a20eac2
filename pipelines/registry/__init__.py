"""The Registry port: runs, metrics and model versions."""

from pipelines.registry.memory import MemoryRegistry
from pipelines.registry.port import ModelVersion, Registry, RunState

__all__ = ["MemoryRegistry", "ModelVersion", "Registry", "RunState"]
