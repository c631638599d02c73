"""The worker: it claims jobs of the queues that agentdata itself serves, and does them."""
