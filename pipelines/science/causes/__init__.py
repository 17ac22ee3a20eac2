"""Why a window differs from what went before it: a broken pipe, other rows, another world."""
