"""Requests: documents, limits and the executor that answers an operation."""
