"""JSON Web Signatures, and their uses: credentials, assertions, access tokens."""
