"""Sight: what an operator sees of running requests, by logs, metrics and traces, and never their contents."""
