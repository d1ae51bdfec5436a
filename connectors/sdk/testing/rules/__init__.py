"""The rules of the conformance kit, in the order in which an author meets them. Each is a function of the kit."""

from collections.abc import Callable

from connectors.sdk.testing.kit import Kit
from connectors.sdk.testing.rules import declaration, manners, mapping, reading, writing

Rule = Callable[[Kit], None]

RULES: tuple[Rule, ...] = (
    declaration.the_registry_takes_it,
    declaration.every_setting_is_described,
    declaration.secrets_are_secret,
    declaration.it_can_be_pointed_at_a_sandbox,
    declaration.every_resource_says_what_it_reads,
    declaration.importing_it_touches_nothing,
    declaration.merchants_have_a_readme,
    declaration.its_quality_is_what_it_claims,
    declaration.every_case_says_where_it_is_from,
    declaration.keys_and_cursors_stand_in_the_cases,
    mapping.golden_files_match,
    mapping.every_field_is_mapped_or_ignored,
    mapping.a_missing_or_broken_field_is_set_aside,
    mapping.amounts_keep_their_cents,
    reading.paging_ends_and_repeats_nothing,
    reading.resuming_loses_nothing,
    reading.it_waits_as_long_as_the_vendor_asks,
    reading.it_tries_again_after_a_failure_of_the_vendor,
    reading.it_does_not_repeat_what_was_refused,
    reading.a_wrong_token_is_the_merchants_to_mend,
    reading.an_unknown_answer_is_no_empty_success,
    reading.one_bad_record_does_not_stop_the_rest,
    reading.a_call_that_proves_nothing_is_refused,
    writing.an_empty_batch_makes_no_call,
    writing.every_change_gets_one_outcome,
    writing.a_write_is_confirmed_and_can_be_read_back,
    writing.a_repeat_has_one_effect,
    writing.a_lost_answer_is_unknown_and_nothing_is_sent_again,
    writing.being_too_fast_defers,
    writing.a_batch_is_one_request,
    writing.a_snapshot_is_whole_and_the_same_every_time,
    manners.nothing_secret_or_personal_is_told,
)
CERTIFIED: tuple[Rule, ...] = (*RULES, reading.it_keeps_the_vendors_limits)
"""Certification also runs the sandbox with the vendor's limits on."""
