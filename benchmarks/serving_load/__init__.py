"""Load on a model server and on two floors beside it, each in processes of its own."""
