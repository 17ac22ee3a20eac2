"""`make bench`: every benchmark, one after the other; each prints a table and writes benchmarks/results/."""

from benchmarks import demo, loop, parsing, serving

for benchmark in (parsing, serving, loop, demo):
    benchmark.main()
