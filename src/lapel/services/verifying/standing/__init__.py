"""Does it still count: its dates, its status, its newest version."""
