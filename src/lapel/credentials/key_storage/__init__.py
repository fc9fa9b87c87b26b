"""Keys at rest: in files, and under the master key."""
