"""What the server can do: one module for each thing, and for each part they share (docs/architecture.md)."""
