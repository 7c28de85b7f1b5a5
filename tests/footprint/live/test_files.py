"""Configurations of models as the process itself would find them: folders, caches, and files that lie."""

from __future__ import annotations

import pytest

from dstop.footprint.live.files import MOST_CONFIG_BYTES, local_config, read_object

HUB = "/home/a/.cache/huggingface/hub/models--meta-llama--Llama-3.1-8B"
SNAPSHOT = "0e9e39f249a16976918f6564b8830bc894c89659"


def test_a_model_of_the_hub_is_found_in_the_process_own_cache(build):
    """The snapshot that `refs/main` names, below the cache that its environment names."""
    files = build.files(path=f"{HUB}/snapshots/{SNAPSHOT}/config.json")
    files.put(f"{HUB}/refs/main", SNAPSHOT.encode() + b"\n")
    for environ in (
        {"HOME": "/home/a"},
        {"HF_HOME": "/home/a/.cache/huggingface"},
        {"HF_HUB_CACHE": HUB.rpartition("/")[0]},
    ):
        config, where = local_config("meta-llama/Llama-3.1-8B", environ, files)
        assert config["model_type"] == "llama"
        assert where == f"{HUB}/snapshots/{SNAPSHOT}/config.json"


def test_a_snapshot_that_is_no_name_is_not_followed(build):
    """`refs/main` is somebody's file: a path in it leads nowhere."""
    files = build.files()
    files.put(f"{HUB}/refs/main", b"../../../../models/llama")
    config, why = local_config("meta-llama/Llama-3.1-8B", {"HOME": "/home/a"}, files)
    assert config is None
    assert why == "its Hugging Face cache names no snapshot"
    assert not any("snapshots" in path for path in files.asked)


def test_a_home_is_the_process_own(build):
    """A tilde that no shell has replaced is the home of the process, not ours."""
    files = build.files(path="/home/a/m/config.json")
    assert local_config("~/m/", {"HOME": "/home/a"}, files)[0] is not None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{" * 100_000, "its config.json is no JSON"),
        (b"\xff\xfe\x00", "its config.json is no JSON"),
        (b"[1, 2]", "its config.json is no object"),
        (b" " * (MOST_CONFIG_BYTES + 1), "its config.json is larger than 1 MiB"),
    ],
    ids=["deep", "binary", "list", "huge"],
)
def test_what_is_no_configuration_says_so_and_is_never_quoted(build, content, why):
    """Bounded, and the reason has no word of the file in it."""
    assert local_config("/models/llama", {}, build.files(content)) == (None, why)


def test_a_name_longer_than_a_path_is_not_looked_for(build):
    """A command line may be megabytes."""
    files = build.files()
    assert local_config("/" + "x" * 5000, {}, files)[0] is None
    assert read_object("/" + "x" * 5000, {}, files) is None
    assert files.asked == []
