"""What an operator does with a whole database. Against the databases' interface: for every module alike."""
