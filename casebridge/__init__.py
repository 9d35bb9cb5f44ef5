"""Casebridge: case management on the wire of the Cases API, whose pushes are never lost and never doubled."""

__version__ = "0.1.0"
