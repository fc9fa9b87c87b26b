"""What is counted, in one process and in several."""
