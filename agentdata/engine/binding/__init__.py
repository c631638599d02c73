"""The binding of variables, arguments and input objects to plain values."""
