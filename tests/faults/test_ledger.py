"""The ledger can fail: one that approves of everything would prove nothing."""

from tests.faults.ledger import Attempt, Entry, Ledger, Verdict, bad, judge_screen

OK, LOST, DOUBLED, UNEXPECTED, INDETERMINATE = Verdict


def post(ledger: Ledger, mark: str, *recipients: str, ids: tuple[str, ...] = ("id",)) -> Attempt:
    attempt = ledger.attempt(mark, recipients)
    attempt.ids.update(ids)
    return attempt


def verdicts(entries: list[Entry]) -> dict[tuple[str, str], Verdict]:
    return {(entry.recipient, entry.what): entry.verdict for entry in entries}


def test_what_was_promised_and_is_there_once_is_ok() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann", "bob")
    assert verdicts(ledger.judge({"ann": ["one"], "bob": ["one"]})) == {("ann", "one"): OK, ("bob", "one"): OK}


def test_what_was_promised_and_is_not_there_is_lost() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann", "bob")
    assert verdicts(ledger.judge({"ann": ["one"], "bob": []}))["bob", "one"] is LOST


def test_what_is_there_twice_is_doubled() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann")
    assert verdicts(ledger.judge({"ann": ["one", "one"]})) == {("ann", "one"): DOUBLED}


def test_what_was_never_answered_may_be_there_once_or_not_but_not_twice() -> None:
    for marks, verdict in (([], INDETERMINATE), (["one"], INDETERMINATE), (["one", "one"], DOUBLED)):
        ledger = Ledger()
        post(ledger, "one", "ann", ids=())
        assert verdicts(ledger.judge({"ann": marks})) == {("ann", "one"): verdict}


def test_what_was_never_answered_and_reached_one_must_reach_all() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann", "bob", ids=())
    assert verdicts(ledger.judge({"ann": ["one"], "bob": []}))["bob", "one"] is LOST


def test_one_key_that_got_two_ids_is_doubled() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann", ids=("id", "another"))
    assert verdicts(ledger.judge({"ann": ["one"]})) == {("ann", "one"): DOUBLED}


def test_what_is_with_somebody_else_is_unexpected() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann")
    assert verdicts(ledger.judge({"ann": ["one"], "bob": ["one"]}))["bob", "one"] is UNEXPECTED


def test_what_nobody_posted_is_unexpected() -> None:
    assert verdicts(Ledger().judge({"ann": ["one"]})) == {("ann", "one"): UNEXPECTED}


def test_what_its_owner_deleted_may_be_missing_or_not() -> None:
    ledger = Ledger()
    post(ledger, "one", "ann")
    ledger.delete("ann", "one")
    assert verdicts(ledger.judge({"ann": []})) == {("ann", "one"): OK}
    assert verdicts(ledger.judge({"ann": ["one"]})) == {("ann", "one"): OK}


def test_a_screen_that_applied_every_version_once_in_order_is_well() -> None:
    assert judge_screen("ann", [1, 2, 3], 3) == []


def test_a_screen_that_lacks_a_version_lost_it() -> None:
    for versions in ([1, 3], [1, 2], []):
        assert {entry.verdict for entry in judge_screen("ann", versions, 3)} == {LOST}


def test_a_screen_lacks_only_the_arrival_of_what_was_deleted_before_it_asked() -> None:
    assert judge_screen("ann", [1, 3], 3, {2}) == []
    assert {entry.verdict for entry in judge_screen("ann", [1, 3], 4, {2})} == {LOST}


def test_a_screen_that_applied_a_version_twice_doubled_it() -> None:
    assert [entry.verdict for entry in judge_screen("ann", [1, 2, 2, 3], 3)] == [DOUBLED]


def test_a_screen_that_went_back_did_what_nobody_expects() -> None:
    assert [entry.verdict for entry in judge_screen("ann", [1, 3, 2], 3)] == [UNEXPECTED]


def test_bad_is_what_is_lost_doubled_or_unexpected() -> None:
    entries = [Entry(verdict, "ann", "one") for verdict in Verdict]
    assert [entry.verdict for entry in bad(entries)] == [LOST, DOUBLED, UNEXPECTED]
