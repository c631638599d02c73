"""How fast this server answers, beside others on the same data: `make bench`."""
