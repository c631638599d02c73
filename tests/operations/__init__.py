"""Tests of the write operations and their rules."""
