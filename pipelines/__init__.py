"""Strings the steps together: the `tandem` command and the runs it makes."""

__version__ = "0.1.0"
