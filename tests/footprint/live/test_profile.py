"""What the user says of a process: entries that fit, in their order, and the log that they name."""

from __future__ import annotations

import os

from dstop.footprint.live.profile import profile_clues
from dstop.footprint.live.recognise import recognise
from dstop.model.process import ProcessFacts
from dstop.settings.profiles import Profile
from dstop.units import GIB

FACTS = ProcessFacts(pid=1, cmdline=("python", "serve_all.py"))


def test_entries_that_fit_speak_in_their_order_and_a_tier_comes_last():
    """The first entry of the file wins; the command line's tier is for what none of them says."""
    profiles = [
        Profile(match="other", model="x"),
        Profile(match="SERVE", model="a", fields=(("batch", 2), ("parallel", (("tp", 4),)))),
        Profile(match="serve_all", tier="deepseek-lite"),
    ]
    first, second, third = profile_clues(profiles, FACTS, "DeepSeek-Pro")
    assert (first.model, first.fields) == ("a", {"batch": 2, "parallel.tp": 4})
    assert (second.tier, third.tier) == ("deepseek-lite", "DeepSeek-Pro")
    assert all(clues.rung == "user" for clues in (first, second, third))


def test_the_log_that_an_entry_names_is_read(tmp_path, build):
    """What the engine has told stands in place of an estimate, and says so."""
    log = tmp_path / "engine.log"
    log.write_text("INFO Model loading took 20.0 GiB\nINFO Available KV cache memory: 40.0 GiB\n")
    said = profile_clues([Profile(match="serve", log=str(log))], FACTS)
    assert said[1].reported == {"weights": 20 * GIB, "kv_cache": 40 * GIB}
    witness = build.witness("vllm", "serve", "/models/llama", framework="vLLM", read=build.files())
    known = recognise(witness, said)
    parts = known.rank.parts
    moved = 20 * GIB - parts.weights_bytes + 40 * GIB - parts.kv_cache_bytes
    assert known.expected_bytes == parts.total_bytes + moved


def test_a_log_that_cannot_be_read_says_nothing(tmp_path):
    """A missing file, a directory and a pipe that nobody writes to are no log, and nobody waits for them."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        (_, said) = profile_clues([Profile(match="serve", log=str(path))], FACTS)
        assert said.reported == {}
