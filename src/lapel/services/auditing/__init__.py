"""The audit log: services write to it, and it can be read and pruned."""
