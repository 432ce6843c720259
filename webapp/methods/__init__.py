"""The kinds of second factor, one file each. Only the catalogue knows them all."""
