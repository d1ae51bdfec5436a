"""What the numbers say about people whose story is known."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from mappings.metrics.attribution import attribution, moves, removal_effects
from mappings.metrics.contacts import conversion, cross_conversion, decayed, engagement, letters
from mappings.metrics.journeys import journey, steps
from mappings.metrics.purchases import average_check, clv, frequency, retention
from mappings.metrics.surveys import csat, nps, nps_interval, wilson
from tests.mappings.metrics.facts import contact, contacts, members, moment, order, orders

NOBODY = members()


def only(table: pd.DataFrame, **where: object) -> pd.Series:
    for name, value in where.items():
        table = table[table[name] == value]
    (_, row), *others = table.iterrows()
    assert not others
    return row


def answer(person: str, day: float, value: float, channel: str = "sms", **more: object) -> dict:
    return contact(person, day, channel, "survey", value=value, **more)


VIKTOR = contacts(
    contact("viktor", 0, "ads", "ad_view"),
    contact("viktor", 1, "site", "page_view"),
    contact("viktor", 2, "site", "product_view"),
    contact("viktor", 4, "email", "opened", campaign="sofas"),
    contact("viktor", 6, "store", "visit"),
)
SOFA = orders(order("viktor", 6.25, "store", 300_000, name="sofa"))


def test_viktors_way_from_an_ad_to_the_till_is_one_journey() -> None:
    row = only(journey(VIKTOR, SOFA))
    assert row["path"] == ["ads", "site", "email", "store"]
    assert (row["n"], row["value"], row["channel"]) == (5, 6.25, "store")


def test_a_journey_begins_after_the_last_purchase() -> None:
    care_set = orders(*SOFA.to_dict("records"), order("viktor", 20, "site", 9_000, name="care"))
    later = contacts(*VIKTOR.to_dict("records"), contact("viktor", 18, "email", "clicked"))
    assert journey(later, care_set).set_index("order")["value"].to_dict() == {"care": 2.0, "sofa": 6.25}


def test_contacts_of_others_and_of_last_year_are_no_part_of_a_journey() -> None:
    strange = contacts(contact("aigul", 5, "ads"), contact(None, 5, "site"), contact("viktor", -100, "ads"))
    assert journey(strange, SOFA).empty


def test_each_model_names_its_own_winner_of_the_sofa() -> None:
    table = attribution(VIKTOR, SOFA, NOBODY)
    money = table.pivot_table(index="model", columns="channel", values="value", fill_value=0.0)
    assert money.loc["first", "ads"] == money.loc["last", "store"] == 300_000
    assert money.loc["linear"].to_dict() == {"ads": 60_000, "email": 60_000, "site": 120_000, "store": 60_000}
    assert money.loc["time_decay", "store"] > money.loc["time_decay", "email"] > money.loc["time_decay", "ads"]
    assert money.loc["removal"].to_list() == pytest.approx([75_000] * 4)  # without any one of them no sofa


def test_a_purchase_nobody_was_led_to_is_direct() -> None:
    table = attribution(contacts(), orders(order(None, 1, "store", 500.0)), NOBODY)
    assert set(table["channel"]) == {"direct"}
    assert table["value"].tolist() == [500.0] * 5


def test_removal_effects_of_a_chain_by_hand() -> None:
    """Of four ways one through ads alone buys, one through ads and email buys, one of each alone does not."""
    ways = contacts(
        contact("a", 0, "ads"), contact("b", 0, "ads"), contact("b", 1, "email"), contact("c", 0, "ads"),
        contact("d", 0, "email"),
    )  # fmt: skip
    bought = orders(order("a", 2), order("b", 2))
    # P(buy) = 3/4 × (1/3 + 1/3 × 1/2) + 1/4 × 1/2 = 1/2; without ads 1/4 × 1/2; without email 3/4 × 1/3
    assert removal_effects(moves(steps(ways, bought))) == pytest.approx(
        {"ads": 1 - 0.125 / 0.5, "email": 1 - 0.25 / 0.5}
    )
    assert removal_effects({("(start)", "ads"): 3, ("ads", "(left)"): 3}) == {"ads": 0.0}
    assert removal_effects({}) == {}


def test_an_answer_given_twice_counts_once_and_the_last_one_counts() -> None:
    said = contacts(answer("aigul", 0, 2), answer("aigul", 1, 10), answer("boris", 1, 9), answer("viktor", 1, 3))
    row = only(nps(said, NOBODY))
    assert (row["day"], row["promoters"], row["detractors"], row["n"]) == (moment(1).date(), 2, 1, 3)
    assert row["value"] == pytest.approx(100 / 3)


def test_nobody_known_and_off_the_scale_are_no_answers() -> None:
    said = contacts(
        answer("aigul", 0, 11), contact(None, 0, "sms", "survey", value=9), contact("boris", 0, "sms", "survey")
    )
    assert nps(said, NOBODY).empty


def test_satisfaction_is_asked_apart_from_recommendation() -> None:
    said = contacts(answer("aigul", 0, 5, campaign="CSAT delivery"), answer("boris", 0, 2, reference="csat"))
    assert nps(said, NOBODY).empty
    row = only(csat(said, NOBODY))
    assert (row["value"], row["satisfied"], row["n"]) == (50, 1, 2)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    dice = np.random.default_rng(11)
    for promoters, detractors in ((0.5, 0.2), (0.9, 0.02), (0.05, 0.05)):
        drawn = dice.multinomial(60, [promoters, detractors, 1 - promoters - detractors], 4_000).astype(float)
        low, high = nps_interval(drawn[:, 0], drawn[:, 1], np.full(4_000, 60.0))
        assert 0.93 <= ((low <= promoters - detractors) & (promoters - detractors <= high)).mean() <= 0.995


def test_wilson_as_published_and_one_answer_is_not_certain() -> None:
    low, high = wilson(np.array([15.0]), np.array([148.0]))  # Newcombe 1998, table I: 0.0624, 0.1605
    assert (round(low[0], 4), round(high[0], 4)) == (0.0624, 0.1605)
    low, high = nps_interval(np.array([1.0, 0.0]), np.array([0.0, 0.0]), np.array([1.0, 50.0]))
    assert low[0] < 0 < high[0] <= 1
    assert low[1] < -0.05  # fifty passive answers


def test_average_check_of_all_and_of_a_segment() -> None:
    sold = orders(order("aigul", 0, total=300), order("boris", 0, total=100), order(None, 0, total=50))
    table = average_check(sold, members(aigul="vip"))
    assert only(table, segment="all")[["value", "n"]].tolist() == [150, 3]
    assert only(table, segment="vip")[["value", "n"]].tolist() == [300, 1]


def test_a_buyer_of_two_channels_is_one_buyer_of_the_shop() -> None:
    sold = orders(order("aigul", 0, "site"), order("aigul", 1, "store"), order("boris", 2, "store"))
    table = frequency(sold, NOBODY)
    assert only(table, channel="all")[["orders", "n", "value"]].tolist() == [3, 2, 1.5]
    assert only(table, channel="store")["value"] == 1


def test_of_two_new_buyers_one_comes_back_after_two_months() -> None:
    sold = orders(order("aigul", 0), order("boris", 0), order("aigul", 60), order("viktor", 60), order(None, 90))
    table = retention(sold, NOBODY)
    january = table[table["day"] == date(2026, 1, 1)]
    assert january[["age", "kept", "n", "value"]].to_numpy().tolist() == [[1, 0, 2, 0], [2, 1, 2, 0.5]]
    assert date(2026, 3, 1) not in set(table["day"])  # April is not over yet


def test_a_month_that_is_not_over_is_no_age_of_anybody() -> None:
    """Boris may come back on the last day of February; in March it is known that he did not."""
    sold = [order("aigul", 0), order("boris", 1), order("aigul", 30)]
    assert retention(orders(*sold), NOBODY).empty
    march = orders(*sold, order(None, 60))
    assert only(retention(march, NOBODY))[["age", "kept", "n"]].tolist() == [1, 1, 2]


def test_value_of_those_who_have_one() -> None:
    values = pd.DataFrame({"person_id": ["a", "b", "c"], "day": date(2026, 3, 1), "clv": [10.0, 30.0, None]})
    assert only(clv(values, NOBODY))[["value", "n"]].tolist() == [20, 2]


def test_a_letter_answered_in_the_shop_crosses_channels() -> None:
    sent = contacts(*(contact(who, 0, "email", "sent", campaign="sofas") for who in ("aigul", "boris", "viktor")),
                    contact("aigul", 1, "site"))  # fmt: skip
    sold = orders(order("viktor", 3, "store"), order("aigul", 2, "site"), order("boris", 31, "store"))
    table = conversion(sent, sold, NOBODY)
    assert only(table, channel="email")[["ordered", "within", "n"]].tolist() == [2, 0, 3]
    assert only(table, channel="site")[["ordered", "within", "n"]].tolist() == [1, 1, 1]
    crossed = only(cross_conversion(sent, sold, NOBODY), channel="email")
    assert (crossed["converted"], crossed["to_channels"]) == (2, {"store": 1, "site": 1})


def test_a_coupon_redeemed_answers_its_campaign_and_no_other() -> None:
    sent = contacts(
        contact("aigul", 0, "mail", "sent", campaign="18"), contact("aigul", 0, "mail", "sent", campaign="13"),
        contact("aigul", 40, "till", "redeemed", campaign="18"), contact("boris", 9, "till", "redeemed", campaign="18"),
    )  # fmt: skip
    table = conversion(sent, orders(), NOBODY)
    assert table.set_index("campaign")["responded"].to_dict() == {"18": 1, "13": 0}


NIGHT = (contact("viktor", 0.49, "email", "sent"), contact("viktor", 0.51, "email", "delivered"))


def test_a_letter_that_arrives_after_midnight_is_one_letter_on_the_day_of_its_sending() -> None:
    told = contacts(*({**one, "reference": "l1"} for one in (*NIGHT, contact("viktor", 1, "email", "opened"))))
    assert letters(told, NOBODY)[["day", "opened", "n"]].to_numpy().tolist() == [[moment(0).date(), 1, 1]]
    assert conversion(contacts(*({**one, "reference": "l1"} for one in NIGHT)), orders(), NOBODY)["n"].to_list() == [1]


def test_two_letters_in_two_days_are_two_where_nothing_says_that_they_are_one() -> None:
    other = contacts({**NIGHT[0], "reference": "l1"}, {**NIGHT[1], "reference": "l2"})
    later = contacts(*({**contact("viktor", day, "email", "sent"), "reference": "l1"} for day in (0, 1)))
    for told in (contacts(*NIGHT), other, later):
        assert letters(told, NOBODY)["n"].to_list() == [1, 1] == conversion(told, orders(), NOBODY)["n"].to_list()


def test_letters_opened_twice_are_opened_once_and_a_click_opens() -> None:
    mail = {"campaign": "spring"}
    told = contacts(
        contact("aigul", 0, "email", "sent", **mail), contact("aigul", 0.1, "email", "delivered", **mail),
        contact("aigul", 1, "email", "opened", **mail), contact("aigul", 2, "email", "opened", **mail),
        contact("boris", 0, "email", "sent", **mail), contact("boris", 1, "email", "clicked", **mail),
        contact("viktor", 0, "email", "sent", **mail), contact("viktor", 45, "email", "opened", **mail),
    )  # fmt: skip
    row = only(letters(told, NOBODY))
    assert row[["opened", "clicked", "n"]].tolist() == [2, 1, 3]


def test_interest_halves_in_thirty_days() -> None:
    points = pd.DataFrame({"day": [date(2026, 1, 1), date(2026, 1, 31)], "points": [8.0, 1.0], "channel": "site"})
    assert decayed(points, ["channel"]).tolist() == pytest.approx([8.0, 5.0])
    state = engagement(pd.DataFrame(columns=["person_id", "channel", "value", "at"]),
                       contacts(contact("aigul", 0, "store", "visit")))  # fmt: skip
    assert only(engagement(state, contacts(contact("aigul", 30, "store", "visit"))))["value"] == pytest.approx(6.0)
