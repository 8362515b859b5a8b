/* What the Tavus adapter promises: a room that is metered by the clock from its creation, that is
 * always ended, and that is never made twice; the vendor's own times in the end. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/lua/fake_host.h"

#define CONFIG                                                                                     \
    "{\"leg_id\":\"leg_7\",\"tenant_id\":\"t\",\"language\":\"es\","                               \
    "\"provider\":{\"replica_id\":\"r1\",\"persona_id\":\"p1\"},"                                  \
    "\"persona\":{\"instructions\":\"Eres consultor.\",\"greeting\":\"Hola.\"}}"
#define LIMITS "{\"media_ms\":600000}"
#define ID "c477c9dd7aa6e4fe"

static struct fake_leg *leg;

static void
setup(void)
{
    fake_host_open(NULL);
    leg = fake_leg_create();
}

static void
teardown(void)
{
    fake_leg_destroy(leg);
    fake_host_close();
}

TestSuite(tavus_adapter, .init = setup, .fini = teardown, .timeout = 60);

static void
create(void)
{
    fake_initialize(leg, "tavus", CONFIG, LIMITS);
    fake_answer_file(leg, 200, "tavus_created.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
}

static void
drive_for(int64_t ms)
{
    fake_drive(leg, "{}");
    for (int64_t passed_ms = 0; passed_ms < ms; passed_ms += 1000)
        fake_pass(leg, 1000);
}

/* Answers the pending request, which must be this one. */
static void
answer(const char *method, const char *path, int status, const char *body)
{
    const struct fake_request *request = fake_pending(leg);
    cr_assert_str_eq(request->method, method);
    cr_assert_str_eq(request->path, path);
    cr_assert_str_eq(strstr(request->headers, "x-api-key"), "x-api-key: " FAKE_SECRET "\n");
    fake_answer(leg, status, body[0] == '@' ? fake_fixture(body + 1) : body);
}

Test(tavus_adapter, the_sheet_says_that_the_clock_costs)
{
    const struct adapter_sheet *sheet = fake_host_sheet("tavus");
    cr_assert(sheet->modes[VITO_VIDEO] && !sheet->modes[VITO_TEXT] && !sheet->modes[VITO_VOICE]);
    cr_assert(sheet->metered_by_clock);
    cr_assert_eq(sheet->price_minute_nusd, 370000000);
    cr_assert_str_eq(sheet->default_base_url, "https://tavusapi.com");
}

Test(tavus_adapter, a_room_is_made_with_every_limit_that_tavus_has)
{
    fake_initialize(leg, "tavus", CONFIG, LIMITS);
    const struct fake_request *request = fake_pending(leg);
    cr_assert_str_eq(request->path, "/v2/conversations");
    cr_assert_str_eq(request->body,
                     "{\"conversation_name\":\"leg_7\",\"conversational_context\":\"Eres "
                     "consultor.\",\"custom_greeting\":\"Hola.\",\"persona_id\":\"p1\","
                     "\"properties\":{\"language\":\"spanish\",\"max_call_duration\":600,"
                     "\"participant_absent_timeout\":60,\"participant_left_timeout\":10},"
                     "\"replica_id\":\"r1\"}");
    fake_answer_file(leg, 200, "tavus_created.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_str_eq(leg->vendor_ref, ID);
    cr_assert_str_eq(leg->join,
                     "{\"conversation_url\":\"https://tavus.daily.co/" ID "\",\"type\":\"tavus\"}");
}

Test(tavus_adapter, the_names_of_2026_are_read_and_sent)
{
    fake_initialize(leg, "tavus",
                    "{\"leg_id\":\"l\",\"language\":\"xx\",\"provider\":{\"face_id\":\"f\","
                    "\"pal_id\":\"p\",\"names\":\"new\",\"test_mode\":true}}",
                    "{}");
    cr_assert_not(fake_pending(leg)->is_repeatable, "a second room would be billed, too");
    cr_assert_str_eq(fake_pending(leg)->body,
                     "{\"conversation_name\":\"l\",\"face_id\":\"f\",\"pal_id\":\"p\","
                     "\"properties\":{\"max_call_duration\":3600,"
                     "\"participant_absent_timeout\":60,\"participant_left_timeout\":10},"
                     "\"test_mode\":true}");
}

Test(tavus_adapter, a_tenant_without_a_face_gets_a_stock_one)
{
    fake_initialize(leg, "tavus", "{\"leg_id\":\"l\",\"provider\":{}}", "{}");
    cr_assert_not_null(strstr(fake_pending(leg)->body, "\"replica_id\":\"rfe12d8b9597\""));
    cr_assert_null(strstr(fake_pending(leg)->body, "persona_id"));
}

Test(tavus_adapter, a_persona_brings_its_own_face)
{
    fake_initialize(leg, "tavus", "{\"leg_id\":\"l\",\"provider\":{\"persona_id\":\"p\"}}", "{}");
    cr_assert_null(strstr(fake_pending(leg)->body, "replica_id"));
}

Test(tavus_adapter, durations_stay_within_what_tavus_takes)
{
    static const struct {
        const char *limits, *wanted;
    } cases[] = {{"{\"media_ms\":1500}", "\"max_call_duration\":5,"},
                 {"{\"media_ms\":61999}", "\"max_call_duration\":61,"},
                 {"{\"media_ms\":99000000}", "\"max_call_duration\":3600,"}};
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        struct fake_leg *other = fake_leg_create();
        fake_initialize(other, "tavus", CONFIG, cases[i].limits);
        cr_expect_not_null(strstr(fake_pending(other)->body, cases[i].wanted));
        fake_leg_destroy(other);
    }
}

Test(tavus_adapter, the_clock_is_reported_from_the_creation_on)
{
    fake_initialize(leg, "tavus", CONFIG, LIMITS);
    fake_pass(leg, 1250); /* while the create is under way */
    fake_answer_file(leg, 200, "tavus_created.json");
    drive_for(10000);
    cr_assert_eq(leg->media_ms, 11250);
    cr_assert_eq(leg->use_count, 3);
}

Test(tavus_adapter, who_sets_the_wall_clock_does_not_change_what_is_reported)
{
    create();
    fake_wall_step_ms = -5000;
    drive_for(5000);
    cr_assert_eq(leg->media_ms, 5000);
    fake_wall_step_ms = INT64_C(3600000);
    fake_pass(leg, 5000);
    cr_assert_eq(leg->media_ms, 10000);
}

Test(tavus_adapter, money_that_ends_cuts_at_the_next_report)
{
    create();
    leg->allowed_ms = 2500;
    drive_for(5000);
    cr_assert(leg->waits_for_cover);
    fake_cut(leg);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    cr_assert_eq(leg->media_ms, 5000);
}

Test(tavus_adapter, a_stop_while_it_sleeps_is_at_once)
{
    create();
    drive_for(3000);
    fake_cut(leg);
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
}

Test(tavus_adapter, a_conversation_that_goes_on_is_looked_at_every_quarter_of_a_minute)
{
    create();
    drive_for(15000);
    answer("GET", "/v2/conversations/" ID, 200, "@tavus_created.json");
    cr_assert_eq(leg->ends, 1, "it is still active");
    for (int i = 0; i < 14; i++)
        fake_pass(leg, 1000);
    cr_assert_eq(leg->request_count, 2);
    fake_pass(leg, 1000);
    cr_assert_eq(leg->request_count, 3);
}

Test(tavus_adapter, a_conversation_that_has_ended_ends_the_drive)
{
    static const struct {
        int status;
        const char *body;
    } ended[] = {{200, "@tavus_ended.json"},
                 {404, "{\"error\":\"not found\"}"},
                 {400, "{\"error\":\"Invalid conversation_id\"}"}};
    for (size_t i = 0; i < RT_COUNT_OF(ended); i++) {
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        create();
        drive_for(15000);
        answer("GET", "/v2/conversations/" ID, ended[i].status, ended[i].body);
        cr_expect_eq(leg->ends, 2);
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_NONE);
        cr_expect_eq(leg->media_ms, 15000);
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, a_look_that_fails_is_tried_again_later)
{
    create();
    drive_for(15000);
    fake_no_answer(leg, NET_HTTP_TIMEOUT);
    for (int i = 0; i < 15; i++)
        fake_pass(leg, 1000);
    answer("GET", "/v2/conversations/" ID, 503, "busy");
    for (int i = 0; i < 15; i++)
        fake_pass(leg, 1000);
    answer("GET", "/v2/conversations/" ID, 200, "not JSON");
    cr_assert_eq(leg->ends, 1);
    cr_assert_eq(leg->media_ms, 45000);
}

Test(tavus_adapter, terminate_ends_it_and_takes_the_vendors_times)
{
    create();
    drive_for(60000 - 1000);
    fake_cut(leg);
    fake_terminate(leg, ADAPTER_COST_LIMIT);
    cr_assert(fake_pending(leg)->is_repeatable, "it may use a connection that was kept");
    answer("POST", "/v2/conversations/" ID "/end", 200, "");
    answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_ended.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_eq(leg->result.stopped, ADAPTER_STOPPED);
    cr_assert_eq(fake_media_ms(leg), 63500, "22:01:04.75 less 22:00:01.25");
}

Test(tavus_adapter, an_end_that_was_already_is_settled_too)
{
    static const int statuses[] = {200, 204, 400, 404};
    for (size_t i = 0; i < RT_COUNT_OF(statuses); i++) {
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        create();
        fake_terminate(leg, ADAPTER_USER_EXIT);
        answer("POST", "/v2/conversations/" ID "/end", statuses[i],
               statuses[i] == 400 ? "{\"error\":\"Invalid conversation_id\"}" : "");
        answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_ended.json");
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_NONE);
        cr_expect_eq(leg->result.stopped, ADAPTER_STOPPED);
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, without_the_vendors_times_the_clock_stands)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {
        {200, "{\"status\":\"ended\"}"},
        {200, "{\"events\":[{\"event_type\":\"system.shutdown\",\"timestamp\":\"soon\"}]}"},
        {200, "{\"events\":[{\"event_type\":\"system.shutdown\",\"timestamp\":"
              "\"2026-11-21T21:00:00Z\"}]}"},
        {200, "{\"events\":7}"},
        {200, "{\"events\":[7,{}]}"},
        {500, "busy"}};
    for (size_t i = 0; i < RT_COUNT_OF(answers); i++) {
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        create();
        drive_for(4000);
        fake_cut(leg);
        fake_terminate(leg, ADAPTER_USER_EXIT);
        fake_pass(leg, 300);
        answer("POST", "/v2/conversations/" ID "/end", 200, "");
        answer("GET", "/v2/conversations/" ID "?verbose=true", answers[i].status, answers[i].body);
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
        cr_expect_eq(leg->result.stopped, ADAPTER_STOPPED);
        cr_expect_eq(leg->final_count, 0);
        cr_expect_eq(leg->media_ms, 4300, "up to when the end was acknowledged");
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, an_end_that_fails_is_tried_twice_and_then_reported)
{
    create();
    fake_terminate(leg, ADAPTER_COST_LIMIT);
    fake_no_answer(leg, NET_HTTP_TIMEOUT);
    answer("POST", "/v2/conversations/" ID "/end", 500, "");
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_RETRYABLE);
    cr_assert_eq(leg->result.status, 500);
}

static void
end_that_is_not_seen(void)
{
    create();
    fake_terminate(leg, ADAPTER_USER_EXIT);
    answer("POST", "/v2/conversations/" ID "/end", 200, "");
    answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_created.json");
    fake_pass(leg, 500);
}

Test(tavus_adapter, an_end_that_the_vendor_does_not_show_is_asked_for_again)
{
    end_that_is_not_seen();
    answer("POST", "/v2/conversations/" ID "/end", 200, "");
    answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_ended.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_eq(leg->result.stopped, ADAPTER_STOPPED);
    cr_assert_eq(leg->final_count, 1, "the vendor's own figure counts");
}

Test(tavus_adapter, who_says_that_it_had_ended_before_is_believed)
{
    end_that_is_not_seen();
    answer("POST", "/v2/conversations/" ID "/end", 400, "{\"error\":\"Invalid conversation_id\"}");
    answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_created.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_eq(leg->result.stopped, ADAPTER_STOPPED);
}

Test(tavus_adapter, a_room_that_goes_on_after_two_ends_is_reported)
{
    end_that_is_not_seen();
    answer("POST", "/v2/conversations/" ID "/end", 200, "");
    answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_created.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN, "%s", leg->detail);
}

Test(tavus_adapter, an_end_that_nothing_but_a_strange_page_speaks_of_is_reported)
{
    create();
    fake_terminate(leg, ADAPTER_USER_EXIT);
    for (int i = 0; i < 2; i++) {
        answer("POST", "/v2/conversations/" ID "/end", 200, "<html>");
        answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "<html>");
        fake_pass(leg, 500);
    }
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN, "%s", leg->detail);
}

#define ACTIVE "/v2/conversations?status=active&limit=50&page="

Test(tavus_adapter, a_create_without_an_answer_is_looked_up_ended_and_unknown)
{
    static const enum net_http_result results[] = {NET_HTTP_TIMEOUT, NET_HTTP_CUT};
    for (size_t i = 0; i < RT_COUNT_OF(results); i++) {
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        fake_initialize(leg, "tavus", CONFIG, LIMITS);
        fake_no_answer(leg, results[i]);
        answer("GET", ACTIVE "1", 200, "@tavus_list.json");
        answer("POST", "/v2/conversations/clost/end", 200, "");
        cr_expect_eq(leg->ends, 1);
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN);
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, after_an_answer_that_does_not_say_whether_a_room_was_made_the_list_does)
{
    static const struct {
        int status;
        const char *body;
        enum adapter_error error;
    } answers[] = {
        {500, "oops", ADAPTER_ERROR_RETRYABLE},
        {502, "", ADAPTER_ERROR_RETRYABLE},
        {200, "not JSON", ADAPTER_ERROR_MALFORMED},
        {200, "{}", ADAPTER_ERROR_MALFORMED},
        {200, "{\"conversation_id\":\"c/1\",\"conversation_url\":\"u\"}", ADAPTER_ERROR_MALFORMED}};
    static const struct {
        int status;
        const char *body;
        bool tells;
    } lists[] = {{200, "{\"data\":[7,{}]}", true}, {200, "{}", false}, {500, "", false}};
    for (size_t i = 0; i < RT_COUNT_OF(answers) * RT_COUNT_OF(lists); i++) {
        size_t of_answer = i / RT_COUNT_OF(lists), of_list = i % RT_COUNT_OF(lists);
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        fake_initialize(leg, "tavus", CONFIG, LIMITS);
        answer("POST", "/v2/conversations", answers[of_answer].status, answers[of_answer].body);
        answer("GET", ACTIVE "1", lists[of_list].status, lists[of_list].body);
        cr_expect_eq(leg->result.error,
                     lists[of_list].tells ? answers[of_answer].error : ADAPTER_ERROR_UNKNOWN,
                     "%s, then %s: %s", answers[of_answer].body, lists[of_list].body, leg->detail);
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, a_room_without_an_address_is_ended_and_unknown)
{
    fake_initialize(leg, "tavus", CONFIG, LIMITS);
    answer("POST", "/v2/conversations", 200, "{\"conversation_id\":\"c1\"}");
    answer("POST", "/v2/conversations/c1/end", 200, "");
    cr_expect_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN);
}

/* As long as may be, of characters that take six in JSON; and one more. */
Test(tavus_adapter, a_room_whose_address_no_client_could_be_told_is_ended_and_unknown)
{
    for (int size = 512; size <= 513; size++) {
        char body[4096] = "{\"conversation_id\":\"c1\",\"conversation_url\":\"";
        for (int i = 0; i < size; i++)
            strcat(body, "\\u001f");
        strcat(body, "\"}");
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        fake_initialize(leg, "tavus", CONFIG, LIMITS);
        answer("POST", "/v2/conversations", 200, body);
        if (size > 512)
            answer("POST", "/v2/conversations/c1/end", 200, "");
        cr_expect_eq(leg->result.error, size > 512 ? ADAPTER_ERROR_UNKNOWN : ADAPTER_ERROR_NONE);
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, refusals_are_of_the_kind_their_text_says)
{
    static const struct {
        int status;
        const char *body;
        enum adapter_error error;
        const char *detail;
    } cases[] = {
        {401, "{\"message\":\"Invalid access token " FAKE_SECRET "\"}", ADAPTER_ERROR_REJECTED,
         "access was refused"},
        {402, "{\"error\":\"pay first\"}", ADAPTER_ERROR_OUT_OF_MONEY, "pay first"},
        {403, "{}", ADAPTER_ERROR_REJECTED, "access was refused"},
        {400, "{\"error\":\"User has reached maximum concurrent conversations\"}",
         ADAPTER_ERROR_RETRYABLE, "User has reached maximum concurrent conversations"},
        {400, "{\"error\":\"The user is out of conversational credits.\"}",
         ADAPTER_ERROR_OUT_OF_MONEY, "The user is out of conversational credits."},
        {400, "{\"error\":\"Invalid replica_uuid\\nline two\"}", ADAPTER_ERROR_REJECTED,
         "Invalid replica_uuid line two"},
        {429, "", ADAPTER_ERROR_RETRYABLE, "the vendor answered 429"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        struct fake_leg *before = leg;
        leg = fake_leg_create();
        fake_initialize(leg, "tavus", CONFIG, LIMITS);
        answer("POST", "/v2/conversations", cases[i].status, cases[i].body);
        cr_expect_eq(leg->result.error, cases[i].error, "%s", cases[i].body);
        cr_expect_str_eq(leg->detail, cases[i].detail);
        cr_expect_eq(leg->request_count, 1, "nothing was made, so nothing is looked up");
        fake_leg_destroy(leg);
        leg = before;
    }
}

Test(tavus_adapter, a_vendor_that_cannot_be_reached_has_made_nothing)
{
    fake_initialize(leg, "tavus", CONFIG, LIMITS);
    fake_no_answer(leg, NET_HTTP_UNREACHED);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_RETRYABLE);
    cr_assert_eq(leg->request_count, 1);
}

#define RECLAIM                                                                                    \
    "{\"leg_id\":\"leg_7\",\"reclaim\":true,\"opened_ms\":1790000000000,\"provider\":{}}"

Test(tavus_adapter, a_room_of_a_former_life_is_found_by_its_name_and_ended)
{
    fake_initialize(leg, "tavus", RECLAIM, "{}");
    answer("GET", ACTIVE "1", 200, "@tavus_list.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_str_eq(leg->vendor_ref, "clost");
    fake_terminate(leg, ADAPTER_USER_EXIT);
    answer("POST", "/v2/conversations/clost/end", 200, "{}");
    answer("GET", "/v2/conversations/clost?verbose=true", 200, "@tavus_ended.json");
    cr_assert_eq(leg->result.stopped, ADAPTER_STOPPED);
    cr_assert_eq(leg->final_count, 1, "the vendor's own figure counts");
}

Test(tavus_adapter, a_room_of_a_former_life_is_looked_for_more_than_once)
{
    fake_initialize(leg, "tavus", RECLAIM, "{}");
    for (int look = 0; look < 3; look++) {
        answer("GET", ACTIVE "1", 200, "{\"data\":[]}");
        cr_assert_eq(leg->ends, 0, "what was asked for may still be on its way");
        fake_pass(leg, 500);
    }
    answer("GET", ACTIVE "1", 200, "{\"data\":[]}");
    answer("GET", "/v2/conversations?status=ended&limit=50&page=1", 200, "{\"data\":[]}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_REJECTED, "and nothing is made in its place");
}

Test(tavus_adapter, a_room_of_a_former_life_that_nobody_joined_is_found_among_the_ended)
{
    fake_initialize(leg, "tavus", RECLAIM, "{}");
    for (int look = 0; look < 3; look++) {
        answer("GET", ACTIVE "1", 200, "{\"data\":[]}");
        fake_pass(leg, 500);
    }
    answer("GET", ACTIVE "1", 200, "{\"data\":[]}");
    answer("GET", "/v2/conversations?status=ended&limit=50&page=1", 200, "@tavus_list.json");
    cr_assert_str_eq(leg->vendor_ref, "clost");
}

#define RECLAIM_BY_REF                                                                             \
    "{\"leg_id\":\"leg_7\",\"reclaim\":true,\"opened_ms\":1790000000000,\"provider\":{},"          \
    "\"vendor_ref\":\"" ID "\"}"

Test(tavus_adapter, a_room_whose_name_was_kept_is_not_looked_for)
{
    fake_initialize(leg, "tavus", RECLAIM_BY_REF, "{}");
    answer("GET", "/v2/conversations/" ID, 200, "@tavus_created.json");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_str_eq(leg->vendor_ref, ID);
    fake_terminate(leg, ADAPTER_USER_EXIT);
    answer("POST", "/v2/conversations/" ID "/end", 200, "{}");
    answer("GET", "/v2/conversations/" ID "?verbose=true", 200, "@tavus_ended.json");
    cr_assert_eq(leg->final_count, 1, "the vendor's own figure counts");
}

Test(tavus_adapter, a_room_of_that_id_and_another_name_is_not_ended)
{
    fake_initialize(leg, "tavus", RECLAIM_BY_REF, "{}");
    for (int look = 0; look < 4; look++) {
        answer("GET", "/v2/conversations/" ID, 200,
               "{\"conversation_id\":\"" ID "\",\"conversation_name\":\"leg_8\"}");
        fake_pass(leg, 500);
    }
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_REJECTED);
}

Test(tavus_adapter, what_is_no_conversation_says_nothing_of_a_room)
{
    fake_initialize(leg, "tavus", RECLAIM_BY_REF, "{}");
    for (int look = 0; look < 4; look++) {
        answer("GET", "/v2/conversations/" ID, 200, "<html>");
        fake_pass(leg, 500);
    }
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED, "somebody has to ask again");
}

Test(tavus_adapter, a_room_that_its_vendor_does_not_know_any_more_is_given_up)
{
    fake_initialize(leg, "tavus", RECLAIM_BY_REF, "{}");
    for (int look = 0; look < 4; look++) {
        answer("GET", "/v2/conversations/" ID, 404, "{\"error\":\"no such conversation\"}");
        fake_pass(leg, 500);
    }
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_REJECTED, "nobody need ask again");
}

Test(tavus_adapter, a_room_of_a_former_life_is_looked_for_on_every_page)
{
    char page[8192] = "{\"data\":[";
    for (int i = 0; i < 50; i++)
        strcat(page, i == 0 ? "{}" : ",{}");
    strcat(page, "]}");
    fake_initialize(leg, "tavus", RECLAIM, "{}");
    answer("GET", ACTIVE "1", 200, page);
    answer("GET", ACTIVE "2", 200, "@tavus_list.json");
    cr_assert_str_eq(leg->vendor_ref, "clost");
}
