"""What a smaller or a tuned model costs and gains: variants of one config, measured alike."""
