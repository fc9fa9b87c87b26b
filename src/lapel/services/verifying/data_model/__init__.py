"""What a document must look like: the data model, the kinds of Open Badges 3.0, the schemas that it names."""
