"""Which diagnosis comes first, and which are not said at all."""

from __future__ import annotations

from dstop.doctor.evidence.facts import Place
from dstop.doctor.rank import ranked
from dstop.doctor.rule import DEFAULT, FITS, PROVEN, SAYS_SO, SUGGESTS, Assessment, Rule


def answer(number, cause, strength, order=0):
    """Make an answer of a rule."""
    rule = Rule(id=f"DS{number}", name=f"r{number}", cause=cause, title="t", page="p")
    return rule, Assessment(strength=strength, evidence=(), at=Place(source="x", order=order))


def causes(*answers):
    """Give the causes in the order of their diagnoses."""
    return [rule.cause for rule, _ in ranked(answers)]


def test_nothing_comes_of_nothing():
    """No answer, no diagnosis."""
    assert ranked([]) == []


def test_the_strongest_is_first_and_of_one_cause_only_one_stays():
    """Strength orders, then place."""
    answers = (
        answer(101, "capacity_activations", FITS - 6),
        answer(201, "fragmentation", FITS),
        answer(105, "capacity_activations", FITS - 10),
    )
    assert causes(*answers) == ["fragmentation", "capacity_activations"]
    assert causes(answer(101, "leak", FITS, 9), answer(102, "fragmentation", FITS, 2)) == [
        "fragmentation",
        "leak",
    ]


def test_beside_a_proof_stands_no_guess():
    """What is much weaker than a proof is not said."""
    assert causes(
        answer(401, "other_process", PROVEN + 3), answer(101, "capacity_activations", FITS - 6)
    ) == ["other_process"]


def test_what_came_first_dragged_a_timeout_along():
    """An allocation that failed before the timeout is the reason, be the timeout said ever so clearly."""
    memory = answer(101, "capacity_activations", FITS, 10)
    assert causes(answer(601, "nccl_timeout", SAYS_SO, 20), memory)[0] == "capacity_activations"
    assert causes(answer(601, "nccl_timeout", SAYS_SO, 5), memory)[0] == "nccl_timeout"


def test_an_error_before_a_timeout_is_its_reason():
    """Also one that is not memory, which elsewhere would be a last resort."""
    error = answer(929, "not_memory", DEFAULT + 5, 10)
    assert causes(answer(601, "nccl_timeout", SAYS_SO, 20), error)[0] == "not_memory"
    assert causes(answer(601, "nccl_timeout", SAYS_SO, 5), error) == ["nccl_timeout"]


def test_a_fault_before_an_error_is_its_reason():
    """An assertion on the card comes before the exception that it ends in."""
    assert (
        causes(answer(921, "not_memory", PROVEN, 20), answer(902, "device_assert", FITS, 10))[0]
        == "device_assert"
    )


def test_a_faint_excuse_is_not_said_beside_a_cause():
    """The exception of unknown meaning and the notice stand only where nothing else is known."""
    memory = answer(101, "capacity_activations", DEFAULT)
    excuses = (answer(929, "not_memory", DEFAULT + 5), answer(932, "benign_warning", SUGGESTS))
    assert causes(memory, *excuses) == ["capacity_activations"]
    assert causes(*excuses) == ["benign_warning", "not_memory"]


def test_where_it_is_not_memory_nothing_of_memory_is_said():
    """A named reason that is not memory ends the talk of memory, not that of faults."""
    named = answer(911, "not_memory", SAYS_SO, 1)
    assert causes(named, answer(101, "capacity_activations", PROVEN, 2)) == ["not_memory"]
    assert causes(named, answer(901, "cuda_illegal_access", PROVEN + 5, 2)) == [
        "not_memory",
        "cuda_illegal_access",
    ]


def test_what_was_survived_outranks_what_it_would_have_been():
    """A refused allocation of a run that went on is a warning, although it stands at the same place."""
    survived = answer(931, "benign_warning", SAYS_SO + 5, 10)
    assert causes(survived, answer(101, "capacity_activations", FITS, 10)) == ["benign_warning"]
