"""Releases as containers.

The engine's API, a release's image, its container, the gateway before them, and the proof by golden
requests.
"""
