"""What a living database tells of itself, and what must be true of it."""
