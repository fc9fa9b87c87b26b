"""The server's use cases, with one module for each, and one for each part they share (docs/architecture.md)."""
