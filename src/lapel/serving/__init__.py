"""The server process: connections and their limits, several processes on one address, and the graceful shutdown."""
