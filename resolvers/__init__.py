"""How declared fields are answered."""
