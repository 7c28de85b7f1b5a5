"""The rules, one file each; a new one is a file and a name in this list."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.rule import Rule

_NAMES = [
    "batch_too_large",
    "weights_too_large",
    "optimizer_states",
    "logits_spike",
    "huge_request",
    "library_handle",
    "fragmented_cache",
    "fraction_limit",
    "leak",
    "library_versions",
    "gradients_kept",
    "rounding_waste",
    "awaited_blocks",
    "library_workspaces",
    "reference_cycles",
    "evaluation_keeps",
    "checkpoint_copy",
    "other_process",
    "mig_slice",
    "foreach_temporaries",
    "long_sample",
    "eager_attention",
    "full_precision",
    "coarse_sharding",
    "router_loss",
    "private_pools",
    "address_space",
    "handler_keeps",
    "oom_killer",
    "batch_memory",
    "container_memory",
    "silent_kill",
    "ray_memory",
    "host_allocation",
    "pinned_memory",
    "windows_commit",
    "shared_memory",
    "open_files",
    "build_memory",
    "nccl_timeout",
    "nccl_memory",
    "nccl_shared_memory",
    "nccl_usage",
    "nccl_network",
    "engine_startup_budget",
    "engine_no_room_for_cache",
    "engine_context_over_cache",
    "engine_graph_capture",
    "engine_static_fraction",
    "engine_capture_not_memory",
    "engine_sampler_warm_up",
    "engine_cache_takes_the_card",
    "engine_weights",
    "engine_profile_run",
    "engine_cache_exhausted",
    "ggml_weights",
    "ggml_placement",
    "ggml_cache",
    "engine_host_memory",
    "ollama_context",
    "tensorrt_builder",
    "engine_profiling_disturbed",
    "ranks_on_one_gpu",
    "many_contexts",
    "preallocating_neighbour",
    "zero3_inactive",
    "gradient_buffers",
    "expert_imbalance",
    "hardware_xid",
    "memory_error",
    "broken_link",
    "driver_library_mismatch",
    "driver_too_old",
    "driver_missing",
    "fabric_manager",
    "illegal_access",
    "device_assert",
    "port_in_use",
    "on_chip_memory",
    "wrong_architecture",
    "hidden_devices",
    "context_exceeded",
    "model_mismatch",
    "mixed_devices",
    "missing_library",
    "damaged_file",
    "disk_full",
    "refused_setting",
    "other_exception",
    "survived",
    "only_a_warning",
    "full_card",
    "cache_flushes",
    "caught_oom",
    "idle_contexts",
    "unused_gpu",
    "heavy_rank",
    "idle_rank",
    "waiting_ranks",
    "full_host",
    "throttled_card",
    "bad_rows",
    "xid_reported",
    "silent_card",
]


def _loaded() -> tuple[Rule, ...]:
    rules = [import_module(f"dstop.doctor.rules.{name}").RULE for name in _NAMES]
    return tuple(sorted(rules, key=lambda rule: rule.id))


RULES: tuple[Rule, ...] = _loaded()


def rule_of(text: str) -> Rule | None:
    """Give the rule of a number (`DS201`, `ds201`) or of a name; None where there is none."""
    wanted = text.strip().lower()
    return next((rule for rule in RULES if wanted in {rule.id.lower(), rule.name}), None)
