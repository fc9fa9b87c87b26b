"""What an operator does with a whole database."""
