"""The description of the API: what each route says of itself, put together as OpenAPI 3.1."""
