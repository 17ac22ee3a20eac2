"""How well a model answers, estimated before a label is known, and whether such estimates hold."""
