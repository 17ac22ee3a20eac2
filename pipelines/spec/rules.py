"""The rules by which a challenger is held against the champion, and what starts a run."""

from __future__ import annotations

from typing import Literal

Rule = Literal["better", "not_worse", "value"]
Cause = Literal["hand", "schedule", "change"]
"""What started a run: a person, its schedule, or drift."""
