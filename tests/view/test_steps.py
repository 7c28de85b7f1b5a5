"""What a key does to the view."""

from __future__ import annotations

import pytest

from dstop.testing import make_process, make_sample
from dstop.view.arrange import View, arrange
from dstop.view.columns import columns_for, row_facts
from dstop.view.filter import parse
from dstop.view.rows import GroupRow, ProcessRow
from dstop.view.steps import (
    as_tree,
    focused,
    folded,
    group_of,
    grouped_by,
    of_user,
    sorted_by,
    sorted_by_next,
    turned,
    widened,
)


def test_the_same_column_again_turns_the_order_round() -> None:
    """Once for the heavy ones, twice for the light ones."""
    view = sorted_by(View(), "mem")
    assert (view.sort, view.reverse) == ("mem", False)
    assert sorted_by(view, "mem").reverse
    assert not sorted_by(turned(view), "cpu").reverse


def test_walking_through_all_columns_comes_back() -> None:
    """Every order on the screen is reached, and none twice."""
    columns = columns_for(200, row_facts(make_sample().processes))
    view, seen = View(), []
    for _ in range(40):
        seen.append(view.sort)
        view = sorted_by_next(view, columns, 1)
        if view.sort == "gpu":
            break
    assert len(seen) == len(set(seen)) >= 7
    assert sorted_by_next(sorted_by_next(View(), columns, -1), columns, 1).sort == "gpu"


def test_without_columns_every_order_can_be_walked() -> None:
    """Before the first drawing there are no columns yet."""
    assert sorted_by_next(View(), (), 1).sort != "gpu"


def test_a_tree_and_groups_exclude_each_other() -> None:
    """The last key wins; the same key again ends it."""
    assert grouped_by(as_tree(View()), "job") == View(group="job")
    assert as_tree(grouped_by(View(), "user")) == View(tree=True)
    assert grouped_by(View(group="job"), "job") == View()


def test_a_member_knows_its_group() -> None:
    """Folding from within a group folds the group."""
    rows = arrange(make_sample(gpus=2, processes_per_gpu=3), View(group="user"))
    assert isinstance(rows[0], GroupRow)
    assert group_of(rows, 2) == 0
    shut = folded(View(group="user"), rows[0])
    assert rows[0].key in shut.folded
    assert folded(shut, rows[0]).folded == frozenset()


def test_only_groups_and_branches_fold() -> None:
    """A plain row, or none, changes nothing."""
    assert folded(View(), ProcessRow(make_process())) == View()
    assert folded(View(tree=True), None) == View(tree=True)


def test_the_same_gpu_again_shows_all() -> None:
    """A digit is a switch."""
    view = focused(View(), 3)
    assert view.gpu_index == 3
    assert focused(view, 3).gpu_index is None
    assert focused(view, None).gpu_index is None


def test_a_users_rows_alone() -> None:
    """The user of a process or of a group; again shows all."""
    row = ProcessRow(make_process(user="alice"))
    view = of_user(View(), row)
    assert view.users == {"alice"}
    assert of_user(view, row).users == frozenset()
    assert of_user(View(), None).users == frozenset()


@pytest.mark.parametrize(
    "view",
    [
        View(filter=parse("x")),
        View(users=frozenset({"a"})),
        View(gpu_index=1),
        View(tree=True),
        View(group="job"),
    ],
)
def test_widening_undoes_each_kind(view: View) -> None:
    """Escape leads back to everything, and then does nothing."""
    assert widened(view) == View()
    assert widened(View()) == View()


def test_widening_goes_step_by_step() -> None:
    """A filter in a tree: first the filter goes, then the tree."""
    assert widened(View(filter=parse("x"), tree=True)) == View(tree=True)
