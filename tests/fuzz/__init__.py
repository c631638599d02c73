"""Sends hostile requests to a real server, and judges every answer."""
