"""The audit log: what every service writes into it, and how it is read."""
