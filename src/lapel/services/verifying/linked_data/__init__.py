"""What a document means as linked data, and that it hides nothing from who reads plain JSON."""
