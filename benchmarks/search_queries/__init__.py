"""The benchmark of search: queries about items that training never saw, and who finds them."""
