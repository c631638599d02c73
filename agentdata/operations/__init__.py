"""Writes and their rules: plain values in, rows out, no GraphQL."""
