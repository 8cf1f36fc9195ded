"""What it takes to run a model server as a container; docs/deployment.md tells how."""
