"""Tests of how declared fields are answered."""
