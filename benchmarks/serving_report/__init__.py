"""What the serving benchmark found: as numbers, tables and a picture."""
