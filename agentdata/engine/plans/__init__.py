"""Plans: an operation compiled once into one statement and into functions that build the answer."""
