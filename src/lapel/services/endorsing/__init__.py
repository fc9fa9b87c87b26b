"""Endorsements: issued by this server's issuers, or by others and embedded in this server's documents."""
