"""Tests of the resolvers: the fields that statements compute."""
