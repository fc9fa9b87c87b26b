"""What an issuer awards: the request read, the credential built, secured, given a status entry, and kept."""
