"""Tests of what happens when something around the server fails."""
