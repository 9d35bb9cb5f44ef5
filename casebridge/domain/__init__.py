"""Nouns and rules of case management: plain functions over frozen values, without I/O, clock or database."""
