"""Tests of agentdata/sight."""
