/*
 * tests/unit/vito/store_suite.h - what every store promises, as cases that any implementation of
 * the port's requests can be put through.
 */
#ifndef TESTS_UNIT_VITO_STORE_SUITE_H
#define TESTS_UNIT_VITO_STORE_SUITE_H

#include "vito/store.h"

/* A store under test, empty at first. */
struct store_driver {
    void *self;
    enum rt_status (*begin)(void *self);
    bool (*execute)(void *self, const struct vito_request *request, struct vito_stored *stored_out,
                    struct rt_buffer **document_out);
    enum rt_status (*commit)(void *self);
    void (*rollback)(void *self);

    /* Ends this life of the store, however much is open, and begins the next one. */
    void (*restart)(void *self, int64_t now_ms);

    /* Aborts the test when the books do not balance. */
    void (*check)(void *self);
};

#define STORE_SUITE(CASE)                                                                          \
    CASE(a_tenant_is_made_read_replaced_and_removed)                                               \
    CASE(tenants_are_listed_by_id)                                                                 \
    CASE(a_tenant_that_is_no_json_object_is_refused)                                               \
    CASE(keys_belong_to_a_tenant_and_go_with_it)                                                   \
    CASE(a_key_is_added_once)                                                                      \
    CASE(a_key_that_is_replaced_ends_later)                                                        \
    CASE(a_policys_memory_is_kept_as_it_is)                                                        \
    CASE(a_month_is_opened_once_and_keeps_its_figures)                                             \
    CASE(a_grant_is_what_is_left_and_never_less_than_the_need)                                     \
    CASE(a_dollar_is_granted_in_exactly_a_hundred_cents)                                           \
    CASE(what_is_returned_can_be_granted_again)                                                    \
    CASE(a_lowered_limit_grants_nothing_more)                                                      \
    CASE(a_month_counted_in_another_zone_takes_over_what_was_spent)                                \
    CASE(a_leg_is_opened_once_and_only_in_a_month_that_is)                                         \
    CASE(settling_posts_the_cost_and_writes_one_record)                                            \
    CASE(settling_again_changes_nothing)                                                           \
    CASE(only_a_tenants_own_open_legs_can_be_extended_or_settled)                                  \
    CASE(a_cost_beyond_the_slice_is_posted_in_full)                                                \
    CASE(nonsense_from_a_vendor_stays_within_numbers)                                              \
    CASE(a_gateways_own_open_legs_are_listed)                                                      \
    CASE(a_video_leg_that_ran_on_after_a_crash_takes_nothing_from_others)                          \
    CASE(a_restart_keeps_what_video_legs_hold_until_they_are_settled)                              \
    CASE(nothing_more_is_held_for_a_video_leg_of_a_former_life)                                    \
    CASE(a_video_leg_is_listed_by_the_name_that_its_vendor_gave_it)                                \
    CASE(a_restart_counts_what_open_legs_held_as_spent)                                            \
    CASE(a_restart_gives_the_rest_of_a_slice_back)                                                 \
    CASE(a_leg_on_the_slice_of_an_earlier_life_is_denied)                                          \
    CASE(the_audit_trail_is_listed_as_documented)                                                  \
    CASE(the_audit_trail_is_listed_in_pages_and_by_session)                                        \
    CASE(an_event_is_appended_once_and_must_be_sound)                                              \
    CASE(what_is_rolled_back_never_was)                                                            \
    CASE(a_refused_request_leaves_the_rest_of_its_batch)                                           \
    CASE(random_lives_keep_the_books_balanced)

/* Those of the vault's rows. */
#define STORE_SUITE_VAULT(CASE)                                                                    \
    CASE(the_vaults_rows_are_listed_tenant_by_tenant)                                              \
    CASE(the_vaults_rows_are_listed_in_pages_of_whole_tenants)                                     \
    CASE(the_vaults_rows_are_written_all_or_none)                                                  \
    CASE(a_key_is_replaced_only_by_its_next_version)                                               \
    CASE(the_vaults_rows_go_with_their_tenant)

/* Those of the audit trail as a whole, and of refunds. */
#define STORE_SUITE_TRAIL(CASE)                                                                    \
    CASE(a_trail_is_handed_out_in_pages_and_verifies)                                              \
    CASE(trails_that_went_on_are_listed_until_they_are_signed)                                     \
    CASE(a_change_and_its_note_are_one)                                                            \
    CASE(old_records_are_let_go_up_to_a_checkpoint)                                                \
    CASE(records_of_a_month_that_is_not_settled_stay)                                              \
    CASE(many_records_are_let_go_some_at_a_time)                                                   \
    CASE(a_refund_lowers_what_is_posted_and_never_below_nothing)                                   \
    CASE(a_refund_is_made_once)                                                                    \
    CASE(a_leg_is_refunded_up_to_what_it_cost)                                                     \
    CASE(what_was_refunded_can_be_spent_again)                                                     \
    CASE(a_refund_outlives_a_change_of_the_time_zone)

/* Those of turns under an Idempotency-Key. */
#define STORE_SUITE_TURNS(CASE)                                                                    \
    CASE(a_turn_is_begun_once_and_answered_again)                                                  \
    CASE(a_key_is_for_one_request_of_one_tenant)                                                   \
    CASE(an_answer_comes_with_its_settlement)                                                      \
    CASE(what_a_crash_left_of_a_turn_is_said)                                                      \
    CASE(a_turn_that_was_given_up_is_lost_when_its_legs_are_settled)                               \
    CASE(turns_are_kept_for_a_time_and_up_to_a_number)                                             \
    CASE(turns_go_with_their_tenant)                                                               \
    CASE(nonsense_about_a_turn_is_refused)

/* Those of tickets. */
#define STORE_SUITE_TICKETS(CASE)                                                                  \
    CASE(a_ticket_is_taken_once_and_says_whose_it_is)                                              \
    CASE(a_ticket_outlives_a_restart)                                                              \
    CASE(a_ticket_that_was_taken_in_vain_is_not_used_up)                                           \
    CASE(a_ticket_ends_with_its_time_and_with_its_credential)                                      \
    CASE(a_ticket_ends_with_the_key_it_was_got_with)                                               \
    CASE(tickets_go_with_their_tenant)                                                             \
    CASE(a_holder_has_so_many_tickets_and_no_more)

#define STORE_DECLARE(name) void store_suite_##name(const struct store_driver *driver);
STORE_SUITE(STORE_DECLARE)
STORE_SUITE_VAULT(STORE_DECLARE)
STORE_SUITE_TRAIL(STORE_DECLARE)
STORE_SUITE_TURNS(STORE_DECLARE)
STORE_SUITE_TICKETS(STORE_DECLARE)

#endif
