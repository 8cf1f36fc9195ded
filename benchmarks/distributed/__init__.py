"""Parts of the benchmark of distributed training."""
