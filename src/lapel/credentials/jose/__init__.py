"""JSON Web Signatures, and what travels in them: credentials, assertions, access tokens."""
