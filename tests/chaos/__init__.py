"""The fault campaign: real uploads against the local OSS server, under every fault, death and mix-up we can name."""
