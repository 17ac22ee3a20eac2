"""The steps of the loop: each a function from small values to small values, and each a command."""
