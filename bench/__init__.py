"""Benchmarks: our figure, the limit's figure and the ratio, taken in one run. `make bench` runs all of them."""
