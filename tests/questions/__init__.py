"""Tests of the questions that users ask of their data: one query answers each, with the numbers of plain SQL.

The SQL is written by hand, one statement per question, and runs as the owner of the tables: it shares no code
with the engine. Questions about knowledge bases, their chunks and their sync jobs follow with these nouns.
"""
