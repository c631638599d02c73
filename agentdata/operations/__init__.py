"""The write operations and their rules; they take plain values and return rows, without GraphQL."""
