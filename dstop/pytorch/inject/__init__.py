"""Run a statement in a live CPython process by borrowing one of its threads for a moment: ptrace, x86-64, glibc.

What happens, in order. Symbols are read out of the target's memory; the routine goes into the padding behind a
library's text and the mailbox behind a library's data, while every thread runs. Then one thread is stopped, and goes on
only if it stands where libc cannot be in the middle of anything; with one write of its registers it is sent through the
routine, which calls pthread_create, restores everything and goes back. From there on nothing depends on dstop. The new
thread, an ordinary one, gets the text through the mailbox, takes the GIL as any thread does, runs it and ends.

The rules that keep the target unharmed, and where they live:
 1  only at safe points              safe_point.py: holds_no_lock, at_instruction, in_eval_loop, in_python_text
 2  only threads of libc, with room  safe_point.py: made_by_libc, has_room; threads.py: sleepers first
 3  nothing to undo, no breakpoints  routine.py, registers.py: turned_to, way_back; launch.py: send
 4  only unused padding, one user    caves.py, mailbox.py: still_used; lock.py
 5  the new thread bothers nobody    routine.py: _new_thread_*; dstop.pytorch.bootstrap
 6  stages told, interrupts held     mailbox.py: Status; delivery.py; undisturbed.py; tracer.py
 7  look before touching             checks.py; plan.py: check_build
Rules 8 to 10 concern files, PEP 768 and the hook: they live with those.
"""
