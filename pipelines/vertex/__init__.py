"""The steps of a run as a pipeline on Vertex AI: `tandem vertex`."""
