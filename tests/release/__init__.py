"""`make release-check`: whether what would be published can be installed, and says of itself what is true."""
