"""`python -m pipelines.fence.begin MODULE ARGUMENTS…`: a program of a child's.

Its module's `main` is called with the arguments, when what it is made of was loaded without looking
for garbage.
"""

from __future__ import annotations

import sys

from pipelines.collector import load_for_good

if __name__ == "__main__":
    load_for_good(sys.argv[1]).main(sys.argv[2:])
