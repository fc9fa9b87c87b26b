"""Open Badges 2.0: hosted and signed assertions, and their endorsements."""
