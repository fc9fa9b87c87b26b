"""Two databases behind one interface. `lapel.database.factory` is the way in."""
