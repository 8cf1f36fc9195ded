"""Where the embeddings of items and users are held while several replicas learn them."""
