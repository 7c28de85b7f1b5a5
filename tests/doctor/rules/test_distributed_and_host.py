"""What dragged what along: the orders in which ranks, launchers and killers speak."""

from __future__ import annotations

import pytest

from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.text.read import log_of_text


def _watchdog(rank, number=808, operation="ALLREDUCE"):
    return (
        f"[rank{rank}]:[E626 06:24:44.90 ProcessGroupNCCL.cpp:616] [Rank {rank}] Watchdog caught collective operation timeout: "
        f"WorkNCCL(SeqNum={number}, OpType={operation}, NumelIn=98, NumelOut=98, Timeout(ms)=600000) ran for 600020 milliseconds "
        "before timing out.\n"
    )


def _out_of_memory(rank):
    return (
        f"[rank{rank}]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU {rank} has a total capacity "
        "of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the "
        "allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.\n"
    )


def _torchrun(code, signal):
    return (
        f"E0301 10:11:12.123 4000 torch/distributed/elastic/multiprocessing/api.py:869] failed (exitcode: {code}) local_rank: 1\n"
        "Root Cause (first observed failure):\n[0]:\n  rank      : 1 (local_rank: 1)\n"
        f"  exitcode  : {code} (pid: 4101)\n  traceback : Signal {signal} received by PID 4101\n"
    )


def _first(text):
    report = diagnose_logs([log_of_text(text, "run.log")])
    return report.diagnoses[0] if report.diagnoses else None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (_watchdog(0) + _out_of_memory(0), "nccl_timeout"),
        (_watchdog(0) + _watchdog(1) + _out_of_memory(3), "capacity_activations"),
        (_out_of_memory(3) + _watchdog(0) + _watchdog(1), "capacity_activations"),
        (_watchdog(0) + _watchdog(1) + _torchrun(-6, "6 (SIGABRT)"), "nccl_timeout"),
        (_watchdog(0) + _torchrun(-6, "6 (SIGABRT)") + "  exitcode  : -9 (pid: 4102)\n", "nccl_timeout"),
        ("loading\n" + _torchrun(-9, "9 (SIGKILL)"), "host_ram_oom"),
        (
            "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:598] Connection closed by peer [10.0.0.3]:41234\n"
            + _torchrun(-9, "9 (SIGKILL)"),
            "host_ram_oom",
        ),
        (
            _watchdog(1)
            + "kernel: Out of memory: Killed process 77 (python) total-vm:9kB, anon-rss:8kB, file-rss:1kB\n",
            "host_ram_oom",
        ),
        (_out_of_memory(0) + "Received sigquit from a child process.\nKilled\n", "capacity_activations"),
        (
            _out_of_memory(0) + "terminate called after throwing an instance of 'std::bad_alloc'\n",
            "capacity_activations",
        ),
        (
            "[CRITICAL] WORKER TIMEOUT (pid:77)\n[ERROR] Worker (pid:77) was sent SIGKILL! Perhaps out of memory?\n",
            None,
        ),
        ("Received SIGTERM, shutting down\ntrainer exited with code 137\n", None),
        ("container trainer failed liveness probe, will be restarted\nExit Code: 137\n", None),
        ("He was Killed in action\nepoch 1 loss 2.0\n", None),
        ("FAILED: a.o\n/usr/bin/ld: cannot find -lcuda\nninja: build stopped: subcommand failed.\n", None),
    ],
)
def test_what_came_first_is_the_cause(text, cause):
    """Of several processes the one that failed of itself is named, and none where somebody ended it on purpose."""
    first = _first(text)
    assert (first.cause if first else None) == cause


def test_the_rank_that_is_silent_is_named():
    """Seven of eight ranks waited: the eighth is where to look."""
    first = _first("".join(_watchdog(rank) for rank in range(8) if rank != 3))
    assert any(one.value == 3 and "rank 3" in one.says for one in first.evidence)


def test_ranks_in_different_collectives_are_told():
    """At the same number in different operations: no timeout is long enough."""
    first = _first(_watchdog(0, 12, "ALLREDUCE") + _watchdog(1, 12, "BROADCAST"))
    assert any("BROADCAST" in one.says and "ALLREDUCE" in one.says for one in first.evidence[1:])
    assert any("longer timeout" in one for one in first.against)


def test_a_rank_that_is_behind_is_named():
    """The counts of completed work say who is late."""
    lines = [
        _watchdog(rank)
        + f"[rank{rank}]: [PG 0 Rank {rank}] Timeout at NCCL work: 9, last enqueued NCCL work: 9, last completed NCCL work: {done}.\n"
        for rank, done in ((0, 8), (1, 8), (2, 5))
    ]
    first = _first("".join(lines))
    assert any(one.value == 2 and "5 collectives" in one.says for one in first.evidence)


def test_the_first_fix_fits_the_phase():
    """One rank that works alone needs a longer timeout; others need to be found."""
    saving = _first("Saving model checkpoint to /out/checkpoint-500\n" + _watchdog(1))
    training = _first("Epoch 3 step 10 loss 2.0\n" + _watchdog(1))
    assert saving.fixes[0].id == "nccl_timeout_raise"
    assert "seconds=3600" in saving.fixes[0].command
    assert training.fixes[0].id == "nccl_debug"
    assert "TORCH_NCCL_TRACE_BUFFER_SIZE" in training.fixes[0].command


@pytest.mark.parametrize(
    ("text", "fixes"),
    [
        ("slurmstepd: error: Detected 1 oom_kill event in StepId=7.0.\n", ("raise_slurm_mem",)),
        ("Reason: OOMKilled\nExit Code: 137\n", ("raise_memory_limit",)),
        (
            "RuntimeError: DataLoader worker (pid 4100) is killed by signal: Killed. \n",
            ("reduce_num_workers",),
        ),
        (
            "[INFO] DeepSpeed offload_optimizer: cpu\nexits with return code = -9\n",
            ("increase_host_ram", "nvme_offload", "disable_param_offload"),
        ),
        (
            "Error: llama runner process has terminated: signal: killed\n",
            ("increase_host_ram", "use_smaller_model"),
        ),
    ],
)
def test_the_fix_is_of_who_set_the_limit_and_of_what_filled_it(text, fixes):
    """A batch system, a container, a loader and an offload have fixes of their own."""
    assert [fix.id for fix in _first(text).fixes[: len(fixes)]] == list(fixes)


def test_the_limit_of_the_log_is_in_the_command():
    """What Slurm was asked for is raised by half."""
    first = _first(
        "slurmstepd: error: Step 4402.0 exceeded memory limit (67204100 > 67108864), being killed\n"
    )
    assert first.fixes[0].command == "#SBATCH --mem=96G"
