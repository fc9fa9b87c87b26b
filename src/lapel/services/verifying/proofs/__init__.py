"""Who signed it: embedded proofs and tokens, and whose key it is."""
