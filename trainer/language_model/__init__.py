"""The BERT that reads texts: frozen, or tuned together with the towers."""
