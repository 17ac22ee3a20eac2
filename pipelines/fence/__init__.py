"""The fence around a model's own code: a process of its own, with limits.

`process` is the side of the one who asks, `program` that of the code, `guard` sets the limits,
`own_code` is the code itself, pinned by hash.
"""
