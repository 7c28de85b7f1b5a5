"""What a control group says of memory, of version 2 and 1, as files in a directory."""

from __future__ import annotations

from dstop.pytorch.run.cgroup import CgroupMemory, events_between, read_cgroup_memory, read_host_oom_kills


def _write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_version_2(tmp_path):
    """Limit, use, peak and the counters come from our own group."""
    group = "sys/fs/cgroup/user.slice/job"
    _write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/job\n",
            f"{group}/memory.events": "low 0\nhigh 1\nmax 20\noom 2\noom_kill 1\n",
            f"{group}/memory.max": "1073741824\n",
            f"{group}/memory.current": "900\n",
            f"{group}/memory.peak": "1073741000\n",
        },
    )
    told = read_cgroup_memory(str(tmp_path))
    assert told.events == {"low": 0, "high": 1, "max": 20, "oom": 2, "oom_kill": 1}
    assert (told.max_bytes, told.current_bytes, told.peak_bytes) == (1 << 30, 900, 1073741000)
    assert told.unavailable == {}


def test_without_a_limit_and_without_a_peak(tmp_path):
    """`max` is no limit, and an old kernel's missing file has a reason."""
    group = "sys/fs/cgroup"
    _write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/host/path/not/mounted/here\n",
            f"{group}/memory.events": "oom_kill 0\n",
            f"{group}/memory.max": "max\n",
        },
    )
    told = read_cgroup_memory(str(tmp_path))
    assert told.max_bytes is None
    assert told.peak_bytes is None
    assert "memory_peak_bytes" in told.unavailable


def test_version_1(tmp_path):
    """The old hierarchy has its own names for the same."""
    group = "sys/fs/cgroup/memory/slurm/job_7"
    _write(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/slurm/job_7\n0::/\n",
            f"{group}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            f"{group}/memory.failcnt": "44\n",
            f"{group}/memory.limit_in_bytes": "9223372036854771712\n",
            f"{group}/memory.usage_in_bytes": "5\n",
            f"{group}/memory.max_usage_in_bytes": "6\n",
        },
    )
    told = read_cgroup_memory(str(tmp_path))
    assert told.events == {"oom_kill": 3, "max": 44}
    assert (told.max_bytes, told.current_bytes, told.peak_bytes) == (None, 5, 6)


def test_no_group_at_all_is_said(tmp_path):
    """Where nothing is mounted, the reason is told instead of a zero."""
    told = read_cgroup_memory(str(tmp_path))
    assert told.events == {}
    assert "memory_events" in told.unavailable


def test_counters_of_one_group_are_subtracted_and_of_two_are_not():
    """A process that was moved meanwhile tells nothing."""
    before = CgroupMemory(folder="/a", events={"oom_kill": 2, "max": 7})
    after = CgroupMemory(folder="/a", events={"oom_kill": 3, "max": 7, "oom_group_kill": 1})
    assert events_between(before, after) == {"oom_kill": 1, "max": 0, "oom_group_kill": 1}
    assert events_between(before, CgroupMemory(folder="/b", events={"oom_kill": 9})) == {}


def test_the_host_counts_too(tmp_path):
    """The kernel's own counter needs no permission; nonsense in its place is no count."""
    _write(tmp_path, {"proc/vmstat": "nr_free_pages 1\noom_kill 5\n"})
    assert read_host_oom_kills(str(tmp_path)) == 5
    _write(tmp_path, {"proc/vmstat": "oom_kill -1\noom_kill\n"})
    assert read_host_oom_kills(str(tmp_path)) is None
