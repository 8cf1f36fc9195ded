"""One page that shows an evaluation to people, and needs nothing but itself."""
