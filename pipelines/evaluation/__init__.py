"""Judges an exported model as a client sees it, beside simple peers on the same split."""
