"""Verbs: what a user wants done. Load, check the privilege, decide in the domain, save in one change."""
