"""The OpenAPI 3.1 description of the API, built from what each route declares."""
