"""The HTTP interface: the routes, and what they share, such as problem documents for every failure."""
