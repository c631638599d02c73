"""Tests of knowledge syncs, on real files, checkouts and PDFs."""
