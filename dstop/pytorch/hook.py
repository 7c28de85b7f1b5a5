"""dstop's guest: the one file of dstop that runs inside the watched process.

Standard library only, Python 3.9 syntax, nothing of dstop, never imports torch (it waits for `sys.modules`), never
creates a CUDA context, never raises into its host, serves from one raw `_thread` thread. It comes in by
`import dstop.pytorch.hook`, by `dstop run` (sitecustomize), or as text (PEP 768, ptrace).

The protocol. A Unix stream socket `DIR/PID-START.sock`: PID is the process' number in its own PID namespace, START is
field 22 of /proc/self/stat; DIR is `$XDG_RUNTIME_DIR/dstop` where that directory exists and is the user's own, else
`/tmp/dstop-UID`; DIR has mode 0700, the socket 0600. A message is a 4-byte big-endian length and that many bytes of
JSON, one object. Requests are at most 64 KiB, replies at most 32 MiB. Peers whose uid is neither ours nor 0 are hung
up on. Every reply has `ok`; a refusal is `{"ok": false, "error": TEXT}`; what could not be had is null, with its
reason in `unavailable` {field: reason}.

op        request                   reply
ping      -                         version, pid
hello     -                         version, how, pid, start, python, executable, torch (version or null),
                                    cuda_version, cuda_initialized, backend, allocator_conf, rank, local_rank,
                                    world_size, history, history_ours, black_box, incidents {count, directory},
                                    requests, errors, devices [{index, uuid, pci_bus_id, name, total_bytes}]
stats     -                         taken_ns (time.time_ns), took_ns, torch, cuda_initialized, history, incidents,
                                    devices [{index, uuid, stats {nested, of torch._C._cuda_memoryStats}}]
summary   device                    text
segments  device?, most_segments?,  taken_ns, left_out, segments [[device, address, total, allocated, active,
          most_blocks?              stream, small, [pool, pool], expandable, [[size, requested or null, state]]]]
                                    (states: a active_allocated, p active_pending_free, i inactive)
sites     device?, most?            history, sites [[device, bytes, blocks, [[file, line, function], ...]], ...]
facts     -                         models [...], optimizers [...], config {...} or null
history   enabled, max_entries?     history, history_ours
snapshot  traces, gzip; one file    bytes, traces (whether they are in it)
          descriptor (SCM_RIGHTS)
detach    -                         - (everything that the hook changed is restored, and it ends)
"""

from __future__ import annotations

VERSION = 1
