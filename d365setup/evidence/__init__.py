"""Evidence: what a command took in, saw and did, sealed so that an alteration is found and named.

The format and its examination are pure (`chain`, `records`, `linked`); `files` is the disk, `signing` the keys.
"""
