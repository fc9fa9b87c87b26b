"""The pinned JSON-LD contexts, each as a table of terms."""
