"""What clients send: filters, orders and the values of writes."""
