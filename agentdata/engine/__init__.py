"""The engine: how a declared field becomes SQL and an answer. It knows no noun."""
