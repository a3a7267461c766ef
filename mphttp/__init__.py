"""An HTTP client whose requests use several network paths, and whose application decides when."""
