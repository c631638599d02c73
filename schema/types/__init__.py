"""Output types."""
