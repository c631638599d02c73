"""Tests of the engine, which runs operations."""
