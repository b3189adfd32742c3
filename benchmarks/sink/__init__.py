"""
A server that takes uploads as fast as one core can and keeps nothing of them but sizes and CRC-64 values.

A measuring instrument, not a local OSS: it checks no signature, knows only the calls that are measured, and imports
nothing of the package that is measured. Its CRC-64 values are true, so every client's own comparison works. Its ETags
are made from the CRC-64 and are no MD5. What is read from it are zeros: objects of zeros come back as they were. On
demand it speaks HTTPS and lies behind a slow network. One thread serves all connections; the parent's end of its
standard input closing ends it.
"""
