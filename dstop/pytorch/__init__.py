"""Inside PyTorch processes: the hook that answers there (the guest), the ways in, and what is left after a crash.

`hook.py` is sent into the target as text and imports nothing of dstop; everything else here runs on dstop's side and
takes whatever comes out of the target as hostile until parsed.
"""
