"""The V2G public key infrastructure as pure functions: values in and out, time and randomness passed in.

Nothing here reads a clock, a file or a network. `certificate` reads certificates, `lint` judges one against a profile,
`path` judges a chain for a role; `csr`, `issue` and `ocsp` make what those two read.
"""
