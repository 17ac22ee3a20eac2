"""`make bench`: every benchmark, one after the other; each prints a table and writes benchmarks/results/."""

from benchmarks import containers, demo, deploy, drift, gate, kills, loop, parsing, readback, rebuild, serving

for benchmark in (parsing, serving, readback, drift, gate, loop, containers, deploy, rebuild, kills, demo):
    benchmark.main()
