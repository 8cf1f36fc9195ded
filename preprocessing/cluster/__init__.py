"""A small cluster that speaks Beam's portable protocol: one job server, and a pool of workers a machine.

    python -m preprocessing.cluster.server --host HOST --port 8099 --workers 4
    python -m preprocessing.cluster.pool --port 8100          (on each machine)

It is for pipelines of Tandem's size in a network that is trusted: nothing is encrypted.
"""
