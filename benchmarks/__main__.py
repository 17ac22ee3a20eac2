"""`make bench`: every benchmark, one after the other; each prints a table and writes benchmarks/results/."""

from benchmarks import containers, demo, deploy, drift, loop, parsing, readback, serving

for benchmark in (parsing, serving, readback, drift, loop, containers, deploy, demo):
    benchmark.main()
