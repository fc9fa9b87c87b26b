"""Authentication and authorisation: API keys, access tokens and organisations."""
