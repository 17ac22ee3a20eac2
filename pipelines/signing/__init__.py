"""Signed bundles: the packager's key, the keys that are trusted, and signatures beside bundles.

What is signed and who must have signed it: docs/signing.md.
"""
