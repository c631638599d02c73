"""SQL: links, filters, orders, pages and computed rows as statements."""
