"""Writes and their rules."""
