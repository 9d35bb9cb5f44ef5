"""One file per external system, and the one outbound door they all use."""
