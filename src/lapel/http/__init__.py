"""The HTTP interface: routes, and what they share: problem documents for whatever fails."""
