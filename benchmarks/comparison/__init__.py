"""The same large file by this package and by its peers: as like as they can be set, by their defaults, over https."""
