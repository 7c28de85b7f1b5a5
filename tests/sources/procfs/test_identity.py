"""Who a process is within its job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.model.process import ProcessFacts
from dstop.sources.procfs.command import SPAWN_WORKER
from dstop.sources.procfs.frameworks import mapped_framework
from dstop.sources.procfs.identity import identify, inherit, title_rank

TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "n0", "MASTER_PORT": "29500"}


def test_ranks_of_torchrun() -> None:
    """RANK, LOCAL_RANK and WORLD_SIZE count, and a run id names the job."""
    found = identify(["python", "train.py"], {**TORCHRUN, "TORCHELASTIC_RUN_ID": "run7"})
    assert (found.rank, found.local_rank, found.world_size) == (3, 1, 8)
    assert (found.job, found.framework) == ("run7", "pytorch")


def test_a_run_id_of_none_names_no_job() -> None:
    """The run id of torchrun is `none` unless given: the rendezvous address tells jobs apart then."""
    assert identify(["python", "t.py"], {**TORCHRUN, "TORCHELASTIC_RUN_ID": "none"}).job == "n0:29500"


def test_ranks_without_an_address_belong_to_their_launcher() -> None:
    """The parent's PID is what ranks without any name have in common."""
    assert identify(["python", "t.py"], {"RANK": "0"}, ppid=77).job == "pid:77"
    assert identify(["python", "t.py"], {}, ppid=77).job is None


@pytest.mark.parametrize(
    ("environ", "place", "job"),
    [
        (
            {"SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_NTASKS": "16", "SLURM_JOB_ID": "99"},
            (5, 1, 16),
            "slurm:99",
        ),
        (
            {"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"},
            (2, 2, 4),
            "pid:50",
        ),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, (1, None, 2), "pid:50"),
        ({"RAY_JOB_ID": "01000000"}, (None, None, None), "ray:01000000"),
        (
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "2", "HOSTNAME": "llama-ft-2"},
            (None, None, None),
            "k8s:llama-ft",
        ),
        ({"WORLD_SIZE": "8"}, (None, None, None), None),
        ({"RANK": "-1", "WORLD_SIZE": "8"}, (None, None, None), None),
        ({"RANK": "x", "LOCAL_RANK": "99999999999999999999"}, (None, None, None), None),
        ({"RANK": "9", "WORLD_SIZE": "2"}, (9, None, None), "pid:50"),
    ],
)
def test_places_in_a_job(environ: dict[str, str], place: tuple[int | None, ...], job: str | None) -> None:
    """Every launcher's variables are understood, and garbage is no rank."""
    found = identify(["python", "t.py"], environ, ppid=50)
    assert (found.rank, found.local_rank, found.world_size) == place
    assert found.job == job


@pytest.mark.parametrize("word", ["--local_rank=3", "--local-rank=3"])
def test_ranks_among_the_arguments(word: str) -> None:
    """torch.distributed.launch passes the local rank as an argument."""
    assert identify(["python", "-u", "t.py", word, "--rank", "11"], {}).local_rank == 3
    assert identify(["python", "-u", "t.py", word, "--rank", "11"], {}).rank == 11


def test_a_launcher_is_no_rank() -> None:
    """What RANK says to torchrun is the machine's number, not a rank."""
    assert identify(["python", "/bin/torchrun", "t.py"], {"RANK": "1", "WORLD_SIZE": "2"}).rank is None


def test_a_spawned_child_is_not_the_rank_its_slurm_step_is() -> None:
    """All children of one Slurm task have its PROCID: none of them is that rank."""
    cmdline = ["python", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(1)"]
    assert identify(cmdline, {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}).rank is None
    assert identify(cmdline, {"RANK": "3", "WORLD_SIZE": "8"}).rank == 3


@pytest.mark.parametrize(
    ("title", "rank"),
    [
        ("VLLM::Worker_TP3", 3),
        ("VLLM::EngineCore_DP0", 0),
        ("VLLM::Worker_DP0_PP0_TP2_EP2", 2),
        ("VLLM::Worker_PP1_TP2", None),
        ("VLLM::EngineCore", None),
        ("sglang::scheduler_TP0", 0),
        ("sglang::scheduler_DP1_TP1_EP1", None),
        ("sglang::detokenizer", None),
        ("ray::RolloutWorker.sample()", None),
        ("VLLM::Worker_TPx_TP99999999999999", None),
    ],
)
def test_titles_say_their_rank_or_nothing(title: str, rank: int | None) -> None:
    """A rank is read only where the title is enough to know it."""
    assert title_rank(title) == rank


@pytest.mark.parametrize(
    ("line", "framework", "model"),
    [
        ("vllm serve deepseek-ai/DeepSeek-V3 --tp 8", "vLLM", "deepseek-ai/DeepSeek-V3"),
        ("python -m vllm.entrypoints.openai.api_server --model Qwen/Qwen3-8B", "vLLM", "Qwen/Qwen3-8B"),
        ("vllm serve /models/big --served-model-name gpt-x", "vLLM", "gpt-x"),
        ("vllm serve org/name --served-model-name gpt-x", "vLLM", "org/name"),
        (
            "vllm serve /root/.cache/huggingface/hub/models--org--name/snapshots/abc --served-model-name g",
            "vLLM",
            "org/name",
        ),
        ("python -m sglang.launch_server --model-path org/x", "SGLang", "org/x"),
        ("python3 -m sglang.launch_server --model-path=/m/x/", "SGLang", "x"),
        ("/opt/llama-server -m /m/llama-3-8b.Q4_K_M.gguf", "llama.cpp", "llama-3-8b.Q4_K_M.gguf"),
        ("llama-server -hf ggml-org/gemma", "llama.cpp", "ggml-org/gemma"),
        ("ollama runner --model /b/sha256-0123456789abcdef0123 --port 1", "Ollama", "sha256-0123456789ab"),
        ("text-generation-launcher --model-id org/m", "TGI", "org/m"),
        ("trtllm-serve org/m --tp_size 2", "TensorRT-LLM", "org/m"),
        ("tritonserver --model-repository=/models", "Triton", None),
        ("deepspeed --num_gpus 8 train.py", "DeepSpeed", None),
        ("python train.py --deepspeed ds.json --model_name_or_path org/m", "DeepSpeed", "org/m"),
        ("python /root/ComfyUI/main.py --listen", "ComfyUI", None),
        ("python /w/diffusers/examples/train.py", "diffusers", None),
        ("python -m ipykernel_launcher -f k.json", "Jupyter", None),
        ("/usr/bin/python /usr/bin/jupyter-lab", "Jupyter", None),
        ("/x/ray/core/src/ray/raylet/raylet --store", "Ray", None),
        ("python /x/ray/_private/workers/default_worker.py", "Ray", None),
        ("VLLM::EngineCore_DP0", "vLLM", None),
        ("sglang::scheduler_TP0", "SGLang", None),
        ("ray::RolloutWorker", "Ray", None),
        ("python main.py actor.model.path=org/m", None, "org/m"),
        ("python -m http.server", None, None),
        ("python train.py --model --x", None, None),
    ],
)
def test_frameworks_and_models(line: str, framework: str | None, model: str | None) -> None:
    """The command line names the framework and the model, or neither is made up."""
    found = identify(line.split(), {})
    assert (found.framework, found.model) == (framework, model)


@pytest.mark.parametrize(
    ("environ", "framework", "model"),
    [
        ({"HF_MODEL_ID": "org/m"}, None, "org/m"),
        ({"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}, "pytorch", None),
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}, "JAX", None),
        ({"TF_FORCE_GPU_ALLOW_GROWTH": "true"}, "TensorFlow", None),
        ({"ACCELERATE_USE_DEEPSPEED": "true", "TORCHELASTIC_RUN_ID": "none"}, "DeepSpeed", None),
        ({"ACCELERATE_USE_DEEPSPEED": "false", "TORCHELASTIC_RUN_ID": "none"}, "pytorch", None),
    ],
)
def test_the_environment_tells_where_the_line_does_not(
    environ: dict[str, str], framework: str | None, model: str | None
) -> None:
    """Variables that a framework reads or sets name it."""
    found = identify(["python", "main.py"], environ)
    assert (found.framework, found.model) == (framework, model)


@given(
    st.lists(st.text(max_size=40), max_size=8),
    st.dictionaries(st.sampled_from([*TORCHRUN, "PMI_SIZE"]), st.text(max_size=9)),
)
def test_any_line_and_environment_are_read_without_error(cmdline: list[str], environ: dict[str, str]) -> None:
    """Ranks are numbers of 0 or more and below the world size, whatever comes in."""
    found = identify(cmdline, environ, ppid=2)
    assert found.rank is None or found.rank >= 0
    assert found.world_size is None or found.rank is None or found.rank < found.world_size
    assert found.job is None or len(found.job) <= 80


def _facts(pid: int, command: str, **more: object) -> ProcessFacts:
    return ProcessFacts(pid=pid, command=command, uid=1000, **more)


def test_a_worker_has_the_model_of_its_server() -> None:
    """The server's model comes down past an engine that does not know it."""
    worker = _facts(30, "VLLM::Worker_TP3", framework="vLLM", rank=3)
    engine = _facts(20, "VLLM::EngineCore", framework="vLLM")
    server = _facts(10, "vllm serve", framework="vLLM", model="org/m", job="slurm:1")
    found = inherit(worker, [engine, server])
    assert (found.model, found.framework, found.job, found.rank) == ("org/m", "vLLM", "slurm:1", 3)


def test_nearer_parents_win_and_own_facts_stay() -> None:
    """What a process says of itself is never overwritten."""
    own = _facts(30, "x", model="mine")
    found = inherit(own, [_facts(20, "y", model="no", framework="near"), _facts(10, "z", framework="far")])
    assert (found.model, found.framework) == ("mine", "near")


@pytest.mark.parametrize(
    "house",
    [
        ProcessFacts(pid=20, command="bash", cmdline=("bash",), uid=1000),
        ProcessFacts(pid=20, command="sshd:", uid=1000),
        ProcessFacts(pid=20, command="containerd-shim", uid=1000),
        ProcessFacts(pid=20, command="sudo", uid=0),
        ProcessFacts(pid=1, command="python", uid=1000),
    ],
)
def test_nothing_comes_from_beyond_a_session(house: ProcessFacts) -> None:
    """A script started in a notebook's terminal is no part of the notebook."""
    script = _facts(30, "train.py")
    assert inherit(script, [house, _facts(10, "jupyter-lab", framework="Jupyter", model="m")]) is script


def test_a_shell_script_between_is_no_end() -> None:
    """A script that starts a worker hands its own starter's facts on."""
    between = ProcessFacts(pid=20, command="run.sh", cmdline=("bash", "run.sh"), uid=1000)
    assert inherit(_facts(30, "w"), [between, _facts(10, "s", job="j")]).job == "j"


def test_a_spawned_worker_is_called_after_its_program() -> None:
    """`spawn_main` says nothing: the script that spawned it does."""
    found = inherit(_facts(30, SPAWN_WORKER), [_facts(20, "train.py")])
    assert found.command == "train.py worker"


def test_libraries_name_the_framework(tmp_path) -> None:
    """The mapped libraries tell, and a process that is gone tells nothing."""
    (tmp_path / "7").mkdir()
    maps = "7f00-7f01 r-xp 00000000 00:00 1 /opt/lib/python3/site-packages/torch/lib/libtorch_cuda.so\n"
    (tmp_path / "7" / "maps").write_text(maps)
    assert mapped_framework(7, str(tmp_path)) == "pytorch"
    assert mapped_framework(8, str(tmp_path)) is None
