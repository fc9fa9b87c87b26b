"""The meaning of a document as linked data, and checks that it hides nothing from readers of plain JSON."""
