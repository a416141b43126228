"""What docs/theory.md claims, on small lines; the command that writes it is benchmarks/theory.py."""

import numpy as np
import pytest
from benchmarks import theory

SMALL = {"trials": 100, "size": 2000}


def test_lemma_a1_for_every_labeling_of_a_few_examples():
    assert theory.check_lemma(6) == sum(3**size for size in range(1, 7))


def test_galaxy_finds_an_extra_cut_as_often_as_theorem_b1_says():
    budgets = np.arange(1, 61)
    bound = np.array([theory.theorem_b1(0.1, b) for b in budgets])
    found = theory.extra_cut(0.1, budget=60, rare=200, **SMALL)
    enough = budgets > 2 * np.log2(2000)
    assert (found + 3 * np.sqrt(bound * (1 - bound) / 100) >= bound)[enough].all()
    assert (theory.extra_cut(0.0, budget=60, rare=200, **SMALL) == 0).all()


@pytest.mark.parametrize("rare", [20, 200])
def test_uniform_sampling_misses_as_often_as_it_must(rare):
    found = theory.missed("uniform", rare, 0.0, (10, 100), **SMALL)
    exact = np.array([theory.uniform_noiseless(rare, b, 2000) for b in (10, 100)])
    assert found == pytest.approx(exact, abs=0.15)


def test_bisection_misses_no_more_often_than_its_labels_are_wrong():
    (found,) = theory.missed("bisection", 200, 0.1, (50,), **SMALL)
    assert 0 < found < theory.bisection_at_most(0.1, 2000)


@pytest.mark.parametrize(("eta", "most"), [(0.0, 0.0), (0.1, 0.1)])
def test_a_search_in_few_rounds_hardly_misses(eta, most):
    (found,) = theory.missed(f"search, {theory.ROUNDS} rounds", 200, eta, (160,), **SMALL)
    assert found <= most


def test_rates_are_those_of_exponentials():
    budgets = np.array([10, 20, 40, 80])
    assert theory.rate(budgets, 2 * np.exp(-0.05 * budgets), trials=10**6) == pytest.approx(0.05)
    assert np.isnan(theory.rate(budgets, [1.0, 0.95, 0.5, 0.0]))
