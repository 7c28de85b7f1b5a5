"""Lines to paste against waits that time out, for this very error and the framework that ran."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_LEAST_SECONDS = 3600
_DEFAULT_SECONDS = 600
_MOST_SECONDS = 86400


def debug_line(case: Case, told: Sign) -> str:
    """Give the settings that show this failure: who is late, in which collective, or which network did not answer."""
    if told.kind == "nccl.store_wait":
        return "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,ENV,NET TORCH_CPP_LOG_LEVEL=INFO TORCH_DISTRIBUTED_DEBUG=DETAIL"
    if told.kind in {"nccl.remote", "nccl.peer_closed"} or case.has("nccl.network"):
        return "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,NET,ENV"
    if told.kind == "nccl.gloo_timeout":
        return "TORCH_DISTRIBUTED_DEBUG=DETAIL TORCH_CPP_LOG_LEVEL=INFO GLOO_SOCKET_IFNAME=eth0"
    recorder = "TORCH_NCCL_TRACE_BUFFER_SIZE=20000 TORCH_NCCL_DUMP_ON_TIMEOUT=1"
    if told.kind == "nccl.heartbeat":
        return f"NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,COLL {recorder} TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC=1800"
    subsystems = "INIT,COLL,P2P,NET" if (told.number("sequence_count") or 9) <= 3 else "INIT,COLL"  # noqa: PLR2004 - the first ones
    return f"NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS={subsystems} {recorder} TORCH_DISTRIBUTED_DEBUG=DETAIL  # read the dump with torchfrtrace"


def timeout_line(case: Case, told: Sign) -> str:
    """Give the option that raises the timeout: to four times what it was, at least an hour."""
    was = (told.number("timeout_count") or 0) // 1000 or told.number("seconds_count") or _DEFAULT_SECONDS
    seconds = min(_MOST_SECONDS, max(_LEAST_SECONDS, 4 * was))
    if told.kind == "nccl.heartbeat" and not case.has("nccl.watchdog"):
        return f"TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC={seconds}"
    lines = {
        "transformers": f"--ddp_timeout {seconds}",
        "trl": f"ddp_timeout={seconds}",
        "llama-factory": f"ddp_timeout: {seconds}",
        "axolotl": f"ddp_timeout: {seconds}",
        "megatron": f"--distributed-timeout-minutes {seconds // 60}",
        "deepspeed": f"deepspeed.init_distributed(timeout=timedelta(seconds={seconds}))",
        "accelerate": f"Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(seconds={seconds}))])",
        "lightning": f"Trainer(strategy=DDPStrategy(timeout=timedelta(seconds={seconds})))",
        "sglang": f"--dist-timeout {seconds}",
        "vllm": f"VLLM_ENGINE_ITERATION_TIMEOUT_S={seconds}",
    }
    return lines.get(
        case.framework, f"torch.distributed.init_process_group('nccl', timeout=timedelta(seconds={seconds}))"
    )
