"""Bundles: what serving needs of one version, read and written so that every byte is verified
before it is loaded.
"""
