"""The required form of a document: the data model, the value types of Open Badges 3.0, and JSON Schemas."""
