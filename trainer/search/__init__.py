"""Search in plain language: a query is taken apart into interests, which are found, weighed and explained."""
