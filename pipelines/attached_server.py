"""`tandem serve` that ends with the process that started it.

`python -m pipelines.attached_server` takes the flags of `tandem serve`, and a pipe as its input.
"""

from __future__ import annotations

import sys

from trainer.distribution.parent import end_with_parent

if __name__ == "__main__":
    end_with_parent()  # before the imports, which take seconds
    from pipelines.cli import main

    sys.argv.insert(1, "serve")
    main()
