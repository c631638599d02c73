"""What clients sent, bound: variables, arguments and input objects as plain values."""
