"""Who signed a badge: embedded proofs and tokens, and the owner of the key."""
