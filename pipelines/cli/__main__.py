"""`python -m pipelines.cli` is `tandem`."""

from pipelines.cli import main

main()
