"""What strangers may ask for, how often and how long; and who they are, by address."""
