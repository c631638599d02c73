"""The tests; each file is named after what it tests."""
