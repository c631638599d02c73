"""How an operation runs."""
