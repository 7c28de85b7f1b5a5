"""`dstop run`: a command with the hook in its environment, and what is left to read when it ends badly.

The command is in our process group and has our input. Its output comes through a pipe, or through a pseudo terminal
where ours is one; so if dstop itself is killed with SIGKILL, the command's next write fails as at any broken pipe
(SIGPIPE, EPIPE; EIO on a terminal). A process that outlives the command and still holds its output is listened to for
one more second. Programs that take keys by way of their output streams need `--tail 0`; shells to type into and the
usual full-screen programs get it anyway.
"""
