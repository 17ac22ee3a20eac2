"""Telling people: what must be told is read from the ledger, what was told is written there.

`routes` says whom to tell of what, `incidents` what there is to tell, `texts` in which words,
`outbox` what is owed and sends it, `post` hands messages to Apprise in a process of its own.
"""
