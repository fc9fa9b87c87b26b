"""RDF datasets and their canonical form."""
