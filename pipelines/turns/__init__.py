"""Whose turn it is to be retrained, where a fleet lets only so many be under way at once.

`rules` decide, `line` reads from the ledger who waits and who is under way, `keeper` writes down
whose turn came.
"""
