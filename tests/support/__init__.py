"""What the tests and the benchmarks stand on."""
