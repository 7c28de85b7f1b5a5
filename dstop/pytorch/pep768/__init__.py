"""The way in that CPython 3.14 and later offer to debuggers (PEP 768), spoken by dstop itself.

`sys.remote_exec` needs an interpreter of the same version, asks the main thread alone, and cannot be taken back. The
protocol behind it is a few bytes of the target's memory: a path, a flag and a bit that every evaluation loop looks at.
"""
