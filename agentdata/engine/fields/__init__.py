"""The declarations that types are made of."""
