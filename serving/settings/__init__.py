"""What a server is told: flags, and config files in text format."""
