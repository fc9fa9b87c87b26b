"""Open Badges on the wire: versions 2.0 and 3.0, and the rules for what goes into them. Pure functions."""
