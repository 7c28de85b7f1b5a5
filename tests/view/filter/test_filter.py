"""The filter language: what each term finds, how terms combine, and what is said of a mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import UsageError
from dstop.model.allocator import Allocator
from dstop.view.filter import EVERYTHING, fields, parse, suggest
from dstop.view.filter.parser import DEEPEST

PIECES = st.sampled_from(
    [*"ab09 ()|&!-\"'/\\<>=:,.%[*+{", "user", "mem", "not ", " or ", "gpu:", "10G", "cmd:/", "has:"]
)
HOSTILE = st.lists(PIECES, max_size=25).map("".join)
TERMS = st.sampled_from(
    [
        "train",
        "user:alice",
        "gpu:0-3",
        "mem>10G",
        "sm>=50",
        "not nope",
        "rank=3",
        "/tr.in/",
        "state:D",
        '"a b"',
        "has:rank",
    ]
)


@pytest.fixture(scope="module")
def row(build):
    """Give a row of which everything is known."""
    return build.process(
        2, 4242, 40, user="alice", uid=1000, ppid=17, command="train.py", container="docker:3f2a",
        cmdline=("python", "-u", "/home/alice/train.py", "--lr=3e-4", "--name", "Big Run"),
        rank=3, world_size=8, job="slurm:77", framework="vllm", model="DeepSeek-V3", labels={"team": "core"},
        started_at_s=build.now_ns / 1e9 - 7200, sm_pct=50.0, memory_pct=30.0, cpu_pct=99.5,
        rss_bytes=2 * build.gib, state="D", type="C+G", gpu_uuid="GPU-abc", gpu_instance_id=1,
        encoder_pct=0.0, decoder_pct=5.0,
        allocator=Allocator(
            index=0, allocated_bytes=10 * build.gib, active_bytes=12 * build.gib, reserved_bytes=36 * build.gib
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def unknown(build):
    """Give a row of which nothing is known."""
    return build.process(0, 1, None)


MATCHING = [
    "", "   ", "train", "TRAIN", "4242", "alice", "3f2a", "deepseek", "vllm", '"Big Run"', "'big run'",
    "--lr", "-u", "user:alice", "user:bob,alice", "USER:ALI", "user=alice", "user!=bob", "cmd:train",
    'cmd:"name big"', "command:lr", "container:docker", "framework:VLLM", "model:deepseek", "job:77",
    "label:team=core", "card:H200", "uuid:GPU-a", "type:C", "type:g", "state:D,Z", "state=d", "gpu:2",
    "gpu:0,2", "gpu:0-3", "gpu=2", "pid:4242", "ppid:17", "uid>=1000", "rank=3", "rank:0-3", "world=8",
    "world==8", "mig:1", "mem>10G", "mem>=40GiB", "mem<=40G", "mem<41G", "mem:30G-50G", "mem != 1G",
    "share:50", "share>=50%", "mem%>49", "rss>1G", "sm>=50", "sm%<51", "bw>20", "enc<1", "dec>4.5",
    "cpu<100", "age>1h", "age>=2h", "age<1d", "age:1h59m-121m", "time>90s", "age>7199", "has:rank",
    "has:mem", "/tr.in\\.py/", "cmd:/lr=\\de-4/", "/alice\\/train/", "user:/^al/", "user!=/^bo/",
    "train alice", "train and alice", "train & alice", "train && alice", "nope or train", "nope | train",
    "nope || train", "not nope", "!nope", "-user:bob", "-(nope)", "not not train", "(train)",
    "(nope | train) user:alice", "nope nope or train", "train or nope nope", "mem > 10G", "user : alice",
    "/home/alice", "alloc>9G", "allocated<11G", "cached:24G", "reserved>=36G", "other<5G", "has:alloc",
]  # fmt: skip
OTHER = [
    "nope", "user:bob", "user=ali", "user!=alice", "type:M", "state:R", "gpu:0,1,3", "pid:424", "rank!=3",
    "world<8", "mem>40G", "mem<40G", "mem:1G-39G", "share>50", "sm>50", "age>2h1s", "not train", "!train",
    "-gpu:2", "train nope", "(train | nope) nope", "/^nope$/", "cmd:/alice$/", "user!=/^al/", "card:A100",
    "has:enc has:gpu not has:dec", "alloc>10G", "cached>24G", "reserved<36G", "other>4G", "not has:alloc",
]  # fmt: skip


@pytest.mark.parametrize("text", MATCHING)
def test_finds_the_row(text, row, build):
    """Each of these asks for a row that this one is."""
    assert parse(text).matches(row, build.gpu(2, name="NVIDIA H200"), now_ns=build.now_ns)


@pytest.mark.parametrize("text", OTHER)
def test_leaves_the_row_out(text, row, build):
    """Each of these asks for a row that this one is not."""
    assert not parse(text).matches(row, build.gpu(2, name="NVIDIA H200"), now_ns=build.now_ns)


@pytest.mark.parametrize(
    "name", [field.name for field in fields() if field.number and field.name not in {"gpu", "pid"}]
)
def test_unknown_is_on_no_side(name, unknown, build):
    """A figure that is not known matches no comparison, in either direction, and no list."""
    for text in (
        f"{name}>0",
        f"{name}>=0",
        f"{name}<9",
        f"{name}<=9",
        f"{name}=0",
        f"{name}!=0",
        f"{name}==0",
    ):
        assert not parse(text).matches(unknown, build.gpu(0), now_ns=build.now_ns)
        assert parse(f"not {text}").matches(unknown, build.gpu(0), now_ns=build.now_ns)


@pytest.mark.parametrize(
    "name", [field.name for field in fields() if field.text and field.name not in {"type", "card", "uuid"}]
)
def test_unknown_text_is_neither_equal_nor_other(name, unknown):
    """A text that is not known neither is a word nor is not it."""
    value = "D" if name == "state" else "x"
    assert not parse(f"{name}:{value}").matches(unknown)
    assert not parse(f"{name}!={value}").matches(unknown)
    assert not parse(f"has:{name}").matches(unknown)


def test_without_card_and_time_share_and_age_are_unknown(row):
    """What needs the card or the moment is not known without them."""
    assert not parse("share>0").matches(row)
    assert not parse("age>0s").matches(row)
    assert not parse("card:H").matches(row)


@pytest.mark.parametrize("field", fields(), ids=lambda field: field.name)
def test_the_examples_of_the_help_are_filters(field, row):
    """What the help shows can be typed, and asks for the field that it explains."""
    asked = parse(field.example)
    assert asked
    assert asked.root.field == field
    assert asked.matches(row) in {True, False}


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("usr:alice", "filter: unknown field 'usr' at column 1", "did you mean user?"),
        ("train usr:alice", "filter: unknown field 'usr' at column 7", "did you mean user?"),
        ("-usr:alice", "filter: unknown field 'usr' at column 2", "did you mean user?"),
        ("http://x", "filter: unknown field 'http' at column 1", "quote the text"),
        ("mem>lots", "filter: 'lots' is no value of mem at column 5", "10G"),
        ("mem>", "filter: mem needs a value at column 5", "write one"),
        ("gpu:3-1", "filter: '3-1' is no value of gpu at column 5", "0-3"),
        ("rank=-1", "filter: '-1' is no value of rank at column 6", "whole number"),
        ("sm>nan", "filter: 'nan' is no value of sm at column 4", "percentage"),
        ("age>2y", "filter: '2y' is no value of age at column 5", "2h"),
        ("user>alice", "filter: user has no order at column 1", "user:alice"),
        ("user:,", "filter: user needs a value at column 6", "user:alice"),
        ("state:Q", "filter: 'Q' is no state at column 7", "one of R"),
        ("has:usr", "filter: unknown field 'usr' at column 5", "did you mean user?"),
        ("(train", "filter: a ( that is not closed at column 1", ")"),
        ("train)", "filter: a ) that was not opened at column 6", "quote"),
        ('cmd:"vllm', 'filter: a " that is not closed at column 5', "another"),
        ("train or", "filter: the end where a term is missing at column 9", "write a word"),
        ("or train", "filter: 'or' where a term is missing at column 1", "write a word"),
        ("()", "filter: ')' where a term is missing at column 2", "write a word"),
        ("not", "filter: the end where a term is missing at column 4", "write a word"),
        ("user:x /a[b/", "filter: the regular expression has a [ that is not closed at column 10", "quote"),
        ("a" * 501, "filter: 501 characters are too many", "500"),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_with_its_column(text, message, fix):
    """An error says what is wrong, where, and what may stand there."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.message == message
    assert fix in (caught.value.fix or "")
    assert caught.value.exit_code == 2


@given(HOSTILE | st.text(max_size=40))
def test_any_text_is_a_filter_or_a_usage_error(text):
    """Nothing that can be typed raises anything but a usage error, nor do its suggestions."""
    assert isinstance(suggest(text), tuple)
    try:
        parse(text)
    except UsageError as error:
        assert error.message.startswith("filter: ")  # noqa: PT017 - most texts are filters


def test_deep_brackets_are_refused_before_they_cost(build):
    """Brackets go as deep as a person needs, and no deeper."""
    assert parse("(" * DEEPEST + "a" + ")" * DEEPEST) == parse("a")
    assert parse("(a) " * (DEEPEST + 1)).matches(build.process(user="a"))
    for depth in (DEEPEST + 1, 200):
        with pytest.raises(UsageError, match="too many brackets"):
            parse("(" * depth + "a" + ")" * depth)


ROWS = st.fixed_dictionaries(
    {
        "gpu_memory_bytes": st.sampled_from([None, 0, 11 * 2**30]),
        "rank": st.sampled_from([None, 3]),
        "command": st.sampled_from([None, "train.py"]),
    }
)


@given(st.lists(TERMS, min_size=1, max_size=4), st.sampled_from([" ", " or "]), ROWS)
def test_not_is_the_complement(build, terms, joint, facts):
    """A filter and its `not` split any rows in two."""
    row = build.process(**facts)
    text = joint.join(terms)
    assert parse(f"not ({text})").matches(row) is not parse(text).matches(row)


@given(
    st.lists(TERMS, min_size=1, max_size=5),
    st.lists(st.sampled_from([" ", "  ", "\t"]), min_size=5, max_size=5),
    st.sampled_from(["and", "or", "|", ""]),
)
def test_spaces_do_not_matter(terms, spaces, joint):
    """More spaces between terms and round them ask for the same."""
    plain = f" {joint} ".join(terms)
    wide = "".join(
        f"{space}{term}{space}{joint if number < len(terms) - 1 else ''}"
        for number, (term, space) in enumerate(zip(terms, spaces, strict=False))
    )
    assert parse(wide) == parse(plain)
    assert parse(f"  ( {plain} )  ") == parse(plain)


def test_signs_need_no_spaces():
    """Joining signs, single or doubled as in C, stand between terms with or without spaces."""
    assert parse("a||b") == parse("a|b") == parse("a or b")
    assert parse("a&&b") == parse("a&b") == parse("a b")


def test_slashes_in_an_expression(build):
    """A backslash keeps a slash in the expression; two of them are a backslash, and the slash ends it."""
    row = build.process(command="a/b", cmdline=("c\\",))
    assert parse(r"/^a\/b$/").matches(row)
    assert parse(r"/^c\\/").matches(row)
    assert not parse(r"/^a\\/").matches(row)


def test_an_empty_filter_is_no_filter():
    """Empty text asks for everything, and is false where it is asked whether there is a filter."""
    assert parse("  ") == EVERYTHING
    assert not EVERYTHING
    assert parse("a")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1w", 604800), ("1h30m", 5400)],
)
def test_ages_are_exact(build, text, seconds):
    """Each unit of time is as long as it is."""
    row = build.process(started_at_s=build.now_ns / 1e9 - seconds)
    assert parse(f"age:{text}").matches(row, now_ns=build.now_ns)


def test_names_with_colons_are_words(build):
    """The engine processes of vLLM have `::` in their names; that is no field."""
    row = build.process(command="VLLM::EngineCore")
    assert parse("vllm::engine").matches(row)
    assert not parse("sglang::engine").matches(row)


def test_a_user_without_a_name_is_found_by_number(build):
    """A container's user may have a number only."""
    assert parse("user:1001").matches(build.process(uid=1001))
    assert not parse("user:1001").matches(build.process(uid=1001, user="alice"))


def test_long_command_lines_are_read_to_a_limit(build):
    """A command line of megabytes costs no more than its first characters."""
    row = build.process(cmdline=("python", "x" * 600, "needle"))
    assert parse("python").matches(row)
    assert not parse("needle").matches(row)
    assert not parse("/needle/").matches(row)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", True), ("mem>1G", True), ("mem>50G", False), ("gpu:3", True), ("gpu:2", False),
        ("not gpu:3", False), ("share>10", True), ("card:H200", True), ("user:alice", False),
        ("not user:alice", False), ("train", False), ("pid:0", False), ("mem>1G or user:a", False),
        ("/x/", False), ("(mem>1G gpu:3)", True), ("has:mem", True), ("uuid:GPU-0", True),
        ("uuid:/GPU/", True),
    ],
)  # fmt: skip
def test_nobodys_memory_answers_to_gpu_and_size_alone(text, shown, build):
    """Memory without a process is hidden by what asks for a process, and not by what asks for memory."""
    card = build.gpu(3, name="NVIDIA H200")
    assert parse(text).matches_unattributed(build.nobodys(3, 20), card) is shown
