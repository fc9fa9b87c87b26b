"""An operator's work on a whole database, through the database interface and so for every module."""
