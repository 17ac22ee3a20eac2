"""A release as pods of a cluster.

Names, objects, how they are applied and watched, and what their states mean in words.
"""
