"""Measures Tandem against others on whole data sets; nothing else in the project needs this folder."""
