"""The questions that the data is there to answer: each is one query, and its numbers are those of plain SQL.

The SQL is written by hand, one statement a question, and run as the owner of the tables: it shares nothing
with what answers queries. Questions on knowledge bases, their chunks and the jobs that sync them wait for
these nouns.
"""
