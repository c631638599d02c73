"""Syncs of knowledge bases: files are found, read and split; the operations write what changed."""
