"""A cluster keeps its name from version to version, and no name is given twice."""

from __future__ import annotations

import numpy as np

from pipelines.science.cluster_names import first_names, match_names, order_of
from pipelines.science.formulas.clusters import contingency


def test_the_first_version_numbers_its_clusters():
    assert first_names(3).names == ("0", "1", "2")


def test_a_renumbered_clustering_gets_the_names_that_it_had():
    theirs = np.array([0] * 50 + [1] * 30 + [2] * 20)
    ours = np.array([2, 0, 1])[theirs]
    found = match_names(contingency(ours, theirs, (3, 3)), ["0", "1", "2"], 3)
    assert found.names == ("1", "2", "0")
    assert found.kept == 1
    assert (found.new, found.gone) == ((), ())


def test_as_many_rows_as_possible_keep_their_cluster_not_the_greatest_overlap_first():
    table = np.array([[10, 9], [9, 0]])
    found = match_names(table, ["0", "1"], 2)
    assert found.names == ("1", "0")
    assert found.kept == 18 / 28


def test_a_new_cluster_gets_a_name_that_nobody_had():
    table = np.array([[40, 0], [0, 0], [0, 30]])
    found = match_names(table, ["0", "3"], 7)
    assert found.names == ("0", "7", "3")
    assert found.new == ("7",)


def test_the_name_of_what_is_gone_is_not_given_away():
    found = match_names(np.array([[40, 1, 0], [0, 0, 30]]), ["0", "1", "2"], 3)
    assert found.names == ("0", "2")
    assert found.gone == ("1",)
    later = match_names(np.array([[40, 0], [0, 30], [0, 0]]), list(found.names), 3)
    assert later.names == ("0", "2", "3")


def test_without_a_common_row_every_name_is_new():
    found = match_names(np.zeros((2, 2), dtype=int), ["0", "1"], 2)
    assert found.names == ("2", "3")
    assert (found.kept, found.gone) == (0, ("0", "1"))


def test_clusters_stand_by_number_and_not_by_letter():
    assert order_of(("10", "9", "2")).tolist() == [2, 1, 0]
