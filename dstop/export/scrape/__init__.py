"""The page on the network: who may have it, in which form, and a server that no client can stop."""
