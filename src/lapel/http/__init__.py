"""The HTTP interface: one file per resource, problem documents for whatever fails."""
