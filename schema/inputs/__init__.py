"""Input types: filters, orders and the values of mutations."""
