"""The SQL of batch fields, computed lists and other fields with logic of their own, by noun."""
