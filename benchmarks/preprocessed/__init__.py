"""Parts of the benchmark of preprocessing."""
