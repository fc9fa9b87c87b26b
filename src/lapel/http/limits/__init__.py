"""What a stranger may ask for, how often and how long; and who he is, by address."""
