"""The formats of credentials and of keys, with one module for each specification."""
