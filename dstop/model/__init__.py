"""The values that everything in dstop is about: frozen, slotted, keyword-only, standard library only, no I/O.

Laws of the data: a value that could not be read is None, never 0, -1, NaN or "N/A", and `unavailable` says why
(field name -> reason). The unit is in the name: `used_bytes`, `power_mw`, `taken_at_ns`.
"""
