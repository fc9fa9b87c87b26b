"""Whether a badge is still valid: its dates, its status, and its newest version."""
