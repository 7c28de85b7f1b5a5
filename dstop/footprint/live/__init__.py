"""Expected against live: which model a process is, what it should hold, and what the difference may be.

    found = recognise(witness, profiles)      # Known, or the reason why not
    expectation = compare(found, row)         # at every step: arithmetic over a few numbers

`clues` is what one rung of the ladder says (hook, engine log, command line, user), `recognise` settles them into a
SPEC, `hypotheses` asks the same arithmetic what it would be if the process were run another way, and `compare` holds
all of it against the figures of a sample.
"""
