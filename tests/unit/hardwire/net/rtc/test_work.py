# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from hardwire.net.rtc import work
from hardwire.net.rtc.work import MOST, RATE, Account, of_other


def test_full_packets_with_one_chunk_pay_for_themselves():
    account = Account(0.0)
    for _ in range(MOST + 1):
        assert account.admits(1200)
        account.charge(work.DATA + work.SACK)
    for size, units in ((28, work.SACK), (60, work.DATA), (16_384, 8 * work.DATA)):
        for _ in range(MOST + 1):
            assert account.admits(size)
            account.charge(units)
    assert account.refused == 0
    assert account.balance > 0


def test_what_costs_more_is_refused_until_it_is_paid_off():
    account = Account(0.0)
    assert account.admits(1200)
    account.charge(MOST + 1000)
    before = account.balance
    assert before < 0
    refused = 0
    while not account.admits(1200):
        refused += 1
    # Refused packets pay in as well: who goes on is heard now and then.
    assert refused == account.refused == -before


def test_time_pays_in_and_only_so_much_is_saved_up():
    account = Account(5.0)
    account.charge(MOST + RATE)
    account.refill(5.0)
    assert account.balance == -RATE
    account.refill(5.5)
    assert account.balance == -RATE // 2
    account.refill(1e6)
    assert account.balance == MOST
    # A moment that is worth less than a unit is not forgotten.
    account.charge(10)
    for number in range(1, 11):
        account.refill(1e6 + number * 0.4 / RATE)
    assert account.balance == MOST - 10 + 3


def test_a_clock_that_stands_still_or_goes_back_takes_nothing():
    account = Account(5.0)
    account.charge(100)
    account.refill(4.0)
    assert account.balance == MOST - 100


@given(st.lists(st.tuples(st.integers(16, 16_384), st.integers(1, 4000)), max_size=300))
def test_work_is_bounded_by_what_was_paid_in(packets):
    account, done = Account(0.0), 0
    for size, units in packets:
        if account.admits(size):
            account.charge(units)
            done += units
    paid = sum(1 + size // work.OCTETS_OF_A_UNIT for size, _ in packets)
    assert done <= MOST + paid + max((units for _, units in packets), default=0)


def test_parameters_cost_by_their_number():
    assert of_other(4) < of_other(1200)
    # Four octets are a parameter, and reading one costs a quarter of a unit or less.
    assert of_other(1200) >= 1200 // 4 // 4
