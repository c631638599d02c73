"""The servers beside ours, each a process of its own."""
