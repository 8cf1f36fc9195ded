"""What the files of an evaluation are called."""

METRICS_FILE = "metrics.json"
BLESSING_FILE = "blessing.json"
PAGE_FILE = "report.html"
