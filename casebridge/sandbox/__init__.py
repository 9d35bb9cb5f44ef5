"""Simulated external systems over real HTTP, for demos, tests and users without an account."""
