"""Packages that a model requires beside the lock: resolved once, installed as an overlay.

`resolution` decides what a model's `requires:` means, `ready` has it on the disk. The first is for
who knows the spec, the second for the server too. Why it is done so:
docs/decisions/0055-packages-of-a-model-lie-over-the-lock.md.
"""
