/*
 * The four claims of the evidence checklist, each shown over real sockets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gateway/evidence.h"
#include "gateway/ws_client.h"

enum { TURNS = 101, BURST = 100 };

static const char *
text_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static int
count_events(const cJSON *entries, const char *event)
{
    int count = 0;
    const cJSON *entry;
    cJSON_ArrayForEach(entry, entries) count += strcmp(text_of(entry, "event"), event) == 0;
    return count;
}

/* EV-01 */

static void
check_balance(struct evidence *evidence, const struct evidence_twin *twin)
{
    char path[128];
    snprintf(path, sizeof(path), "/api/tenants/%s/balance", twin->id);
    struct client_answer answer = client_call(&evidence->gateway, "GET", path, NULL);
    cJSON *json = client_answer_json(&answer);
    const char *posted = text_of(json, "posted_usd");
    evidence_check(evidence, strcmp(posted, "1.000000000") == 0, "the ledger has posted %s",
                   posted);
    cJSON_Delete(json);
    client_answer_free(&answer);
}

static void
spend_it_all(struct evidence *evidence, const struct evidence_twin *twin)
{
    int calls_before = evidence_vendor_calls(evidence, "openai");
    int succeeded = 0;
    long last_status = 0;
    char last_title[64] = "";
    for (int i = 0; i < TURNS; i++) {
        struct client_answer answer = evidence_turn(evidence, twin->id, twin->key);
        succeeded += answer.status == 200;
        last_status = answer.status;
        cJSON *json = client_answer_json(&answer);
        snprintf(last_title, sizeof(last_title), "%s", text_of(json, "title"));
        cJSON_Delete(json);
        client_answer_free(&answer);
    }
    int calls = evidence_vendor_calls(evidence, "openai") - calls_before;
    cJSON *audit = evidence_audit(evidence, twin->id);
    int billed = count_events(audit, "BILLING_EVENT");
    cJSON_Delete(audit);
    evidence_did(evidence, "sent %d turns of $0.01 each", TURNS);
    evidence_check(evidence, succeeded == TURNS - 1, "%d turns succeeded", succeeded);
    evidence_check(evidence, last_status == 402 && strcmp(last_title, "Twin is sleeping") == 0,
                   "turn %d got status %ld \"%s\"", TURNS, last_status, last_title);
    evidence_check(evidence, calls == TURNS - 1, "the vendor was called %d times", calls);
    evidence_check(evidence, billed == TURNS - 1, "audit_logs has %d billing events", billed);
    check_balance(evidence, twin);
}

void
evidence_hard_limit(struct evidence *evidence)
{
    struct evidence_twin twin = {0};
    evidence_begin(evidence, "EV-01", "A $1.00 limit admits one hundred $0.01 turns, never 101");
    if (evidence_make_twin(evidence, "limit",
                           "{\"limits\":{\"monthly_hard_limit_usd\":\"1.00\"},"
                           "\"rate\":{\"per_second\":1000,\"burst\":1000},"
                           "\"prices\":{\"interaction_usd\":\"0.01\",\"token_1k_usd\":\"0\"}}",
                           &twin))
        spend_it_all(evidence, &twin);
    evidence_remove_twin(evidence, &twin);
    evidence_end(evidence);
}

/* EV-02 */

static void
knock_at_the_wrong_door(struct evidence *evidence, const struct evidence_twin *a,
                        const struct evidence_twin *b)
{
    char path[128];
    int calls_before = evidence_vendor_calls(evidence, NULL);
    struct client_answer answer = evidence_turn(evidence, b->id, a->key);
    long upgrade_status;
    snprintf(path, sizeof(path), "/v1/twins/%s/session", b->id);
    struct ws_client *ws = ws_client_open(&evidence->gateway, path, a->key, &upgrade_status);
    int calls = evidence_vendor_calls(evidence, NULL) - calls_before;
    cJSON *audit = evidence_audit(evidence, b->id);
    int refusals = count_events(audit, "ACCESS_REFUSED");
    evidence_did(evidence, "used a key of %s for a turn and for a session of %s", a->id, b->id);
    evidence_check(evidence, answer.status == 403, "the turn got status %ld", answer.status);
    evidence_check(evidence, upgrade_status == 403, "the upgrade got status %ld", upgrade_status);
    evidence_check(evidence, calls == 0, "vendors were called %d times", calls);
    evidence_check(evidence, refusals == 2,
                   "%d refusals are in the audit trail of %s, one for each", refusals, b->id);
    ws_client_close(ws);
    cJSON_Delete(audit);
    client_answer_free(&answer);
}

void
evidence_isolation(struct evidence *evidence)
{
    struct evidence_twin a = {0}, b = {0};
    evidence_begin(evidence, "EV-02", "A key of one twin opens nothing of another: 403");
    if (evidence_make_twin(evidence, "a", "{}", &a) && evidence_make_twin(evidence, "b", "{}", &b))
        knock_at_the_wrong_door(evidence, &a, &b);
    evidence_remove_twin(evidence, &a);
    evidence_remove_twin(evidence, &b);
    evidence_end(evidence);
}

/* EV-03 */

enum { PER_SECOND = 50, HALF = 50 }; /* what the bucket has, and of what a burst is twice */

struct burst_result {
    int succeeded, refused, delayed, without_retry_after;
    long retry_after_s;
    double lasted_s; /* until the last answer: the bucket fills meanwhile */
};

static double
now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool
was_delayed(const struct client_answer *answer)
{
    cJSON *json = client_answer_json(answer);
    const cJSON *decision = cJSON_GetObjectItemCaseSensitive(json, "decision");
    bool delayed = strcmp(text_of(decision, "action"), "throttle") == 0;
    cJSON_Delete(json);
    return delayed;
}

static struct burst_result
burst(struct evidence *evidence, const struct evidence_twin *twin, int count)
{
    struct client caller = evidence->gateway;
    char path[128];
    snprintf(caller.token, sizeof(caller.token), "%s", twin->key);
    snprintf(path, sizeof(path), "/v1/twins/%s/turns", twin->id);
    struct client_request requests[BURST];
    for (int i = 0; i < count; i++)
        requests[i] = (struct client_request){.client = &caller,
                                              .method = "POST",
                                              .path = path,
                                              .body = "{\"text\":\"[tokens:1] goal\"}"};
    double began_s = now_s();
    client_call_all(requests, (size_t)count);
    struct burst_result result = {.lasted_s = now_s() - began_s};
    for (int i = 0; i < count; i++) {
        const struct client_answer *answer = &requests[i].answer;
        result.succeeded += answer->status == 200;
        result.refused += answer->status == 429;
        result.delayed += answer->status == 200 && was_delayed(answer);
        result.without_retry_after += answer->status == 429 && answer->retry_after_s == 0;
        if (answer->retry_after_s > result.retry_after_s)
            result.retry_after_s = answer->retry_after_s;
        client_answer_free(&requests[i].answer);
    }
    return result;
}

static void
wait_s(long seconds)
{
    const struct timespec pause = {.tv_sec = seconds, .tv_nsec = 20000000};
    nanosleep(&pause, NULL);
}

static void
burst_without_queue(struct evidence *evidence, const struct evidence_twin *twin)
{
    struct burst_result first = burst(evidence, twin, BURST);
    int most = HALF + 1 + (int)(PER_SECOND * first.lasted_s);
    evidence_did(evidence, "sent %d turns in %.2f s, limit 50/s, no queue", BURST, first.lasted_s);
    evidence_check(evidence, first.succeeded >= HALF - 1 && first.succeeded <= most,
                   "%d succeeded at once, %d at most", first.succeeded, most);
    evidence_check(evidence, first.succeeded + first.refused == BURST, "%d got 429", first.refused);
    evidence_check(evidence, first.without_retry_after == 0,
                   "every 429 has a Retry-After, %ld s at most", first.retry_after_s);
    wait_s(first.retry_after_s);
    struct burst_result again = burst(evidence, twin, first.refused);
    evidence_did(evidence, "sent the refused %d again after their Retry-After", first.refused);
    evidence_check(evidence, again.succeeded == first.refused, "%d of them succeeded",
                   again.succeeded);
}

static void
burst_with_queue(struct evidence *evidence, const struct evidence_twin *twin)
{
    struct burst_result result = burst(evidence, twin, BURST);
    evidence_did(evidence, "sent %d turns at once, limit 50/s, a queue of 100", BURST);
    evidence_check(evidence, result.succeeded == BURST, "%d succeeded", result.succeeded);
    /* Fewer than a half are when the bucket fills while they are still being sent. */
    evidence_check(evidence, result.delayed >= 1 && result.delayed <= HALF + 1,
                   "%d of them were delayed in the queue", result.delayed);
    evidence_check(evidence, PER_SECOND * result.lasted_s >= BURST - HALF - 1,
                   "the last of them was answered after %.2f s: 50, and 50 a second",
                   result.lasted_s);
}

void
evidence_burst(struct evidence *evidence)
{
    struct evidence_twin strict = {0}, patient = {0};
    evidence_begin(evidence, "EV-03", "100 turns in a second at 50/s: 50 pass, 50 wait or get 429");
    if (evidence_make_twin(evidence, "strict",
                           "{\"limits\":{\"monthly_hard_limit_usd\":\"100\"},"
                           "\"rate\":{\"per_second\":50,\"burst\":50,\"queue\":0}}",
                           &strict))
        burst_without_queue(evidence, &strict);
    if (evidence_make_twin(evidence, "patient",
                           "{\"limits\":{\"monthly_hard_limit_usd\":\"100\"},\"rate\":"
                           "{\"per_second\":50,\"burst\":50,\"queue\":100,\"max_wait_ms\":5000}}",
                           &patient))
        burst_with_queue(evidence, &patient);
    struct client_answer health = client_call(&evidence->gateway, "GET", "/healthz", NULL);
    evidence_check(evidence, health.status == 200, "the gateway is alive: /healthz says %ld",
                   health.status);
    client_answer_free(&health);
    evidence_remove_twin(evidence, &strict);
    evidence_remove_twin(evidence, &patient);
    evidence_end(evidence);
}

/* EV-04 */

/* Waits for a frame of this type. NULL when it does not come; the caller's. */
static cJSON *
await_frame(struct ws_client *ws, const char *type, int timeout_ms)
{
    const char *text;
    while ((text = ws_client_receive(ws, timeout_ms)) != NULL) {
        cJSON *frame = cJSON_Parse(text);
        if (strcmp(text_of(frame, "type"), type) == 0)
            return frame;
        cJSON_Delete(frame);
    }
    return NULL;
}

/* Stays for a while, as somebody who watches. */
static void
watch(struct ws_client *ws, unsigned seconds)
{
    time_t until = time(NULL) + seconds;
    while (time(NULL) < until && ws_client_is_open(ws))
        ws_client_receive(ws, 1000);
}

static void
compare_with_bill(struct evidence *evidence, const struct evidence_twin *twin,
                  const char *session_id)
{
    cJSON *audit = evidence_audit(evidence, twin->id);
    const cJSON *entry, *leg = NULL;
    int legs = 0;
    cJSON_ArrayForEach(entry, audit)
    {
        if (strcmp(text_of(entry, "session_id"), session_id) != 0)
            continue;
        legs++;
        leg = entry;
    }
    struct client_answer answer = client_call(&evidence->simulator, "GET", "/_bill", NULL);
    cJSON *bill = client_answer_json(&answer);
    const cJSON *vendor_legs = cJSON_GetObjectItemCaseSensitive(bill, "legs");
    const cJSON *vendor_leg = cJSON_GetObjectItemCaseSensitive(vendor_legs, text_of(leg, "id"));
    const char *cost = text_of(leg, "cost_amount"), *usd = text_of(vendor_leg, "usd");
    evidence_check(evidence, legs == 1, "audit_logs has %d entry for session %s", legs, session_id);
    evidence_check(evidence, strcmp(text_of(leg, "provider_id"), "tavus") == 0,
                   "its provider_id is \"%s\"", text_of(leg, "provider_id"));
    evidence_check(evidence, cost[0] != '\0' && strcmp(cost, usd) == 0,
                   "its cost_amount is %s, the vendor's own bill says %s", cost, usd);
    client_answer_free(&answer);
    cJSON_Delete(bill);
    cJSON_Delete(audit);
}

static void
watch_video(struct evidence *evidence, const struct evidence_twin *twin, unsigned seconds)
{
    char path[128], session_id[EVIDENCE_ID_BYTES];
    long status;
    snprintf(path, sizeof(path), "/v1/twins/%s/session?mode=video", twin->id);
    struct ws_client *ws = ws_client_open(&evidence->gateway, path, twin->key, &status);
    if (!evidence_check(evidence, ws != NULL, "the upgrade got status %ld", status))
        return;
    cJSON *started = await_frame(ws, "session.started", 30000);
    const cJSON *join = cJSON_GetObjectItemCaseSensitive(started, "join");
    snprintf(session_id, sizeof(session_id), "%s", text_of(started, "session_id"));
    evidence_check(evidence, cJSON_IsObject(join), "session %s began with a video to join at %s",
                   session_id, text_of(join, "conversation_url"));
    cJSON_Delete(started);
    watch(ws, seconds);
    ws_client_send(ws, "{\"type\":\"end\"}");
    cJSON *ended = await_frame(ws, "session.ended", 30000);
    const cJSON *bill = cJSON_GetObjectItemCaseSensitive(ended, "bill");
    evidence_did(evidence, "watched %u seconds of video and ended the session", seconds);
    evidence_check(evidence, ended != NULL, "session.ended came, reason %s, cost %s",
                   text_of(ended, "reason"), text_of(bill, "cost_usd"));
    cJSON_Delete(ended);
    ws_client_close(ws);
    compare_with_bill(evidence, twin, session_id);
}

void
evidence_audit_trail(struct evidence *evidence, unsigned video_seconds)
{
    struct evidence_twin twin = {0};
    evidence_begin(evidence, "EV-04",
                   "A minute of video is one audit entry, at what the vendor charges");
    if (evidence_make_twin(evidence, "video", "{\"limits\":{\"monthly_hard_limit_usd\":\"10\"}}",
                           &twin))
        watch_video(evidence, &twin, video_seconds);
    evidence_remove_twin(evidence, &twin);
    evidence_end(evidence);
}
