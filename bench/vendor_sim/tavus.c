/*
 * Tavus' conversations, as the simulator keeps them: rooms that cost money from creation to
 * shutdown, by the wall clock, whether anybody joins or not. Nobody joins unless
 * POST /tavus/_join/{id} says so, or POST /tavus/_join of all that are there.
 *
 * Source: docs.tavus.io (create, get, end conversation; call duration and timeout) and the
 * vendor's OpenAPI of 2026-08-22, read 2026-11. Durations are in seconds there.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/vendor_sim/exchange.h"
#include "runtime/assert.h"
#include "runtime/table.h"
#include "runtime/world.h"

enum {
    CONVERSATIONS_MAX = 20000,
    CALL_SECONDS_MAX = 3600,
    ABSENT_SECONDS_USUAL = 300,
    LIST_USUAL = 10,
    LIST_MAX = 100,
    TIME_BYTES = 32,
};

struct conversation {
    struct rt_table_link link;
    struct sim *sim;
    char id[SIM_ID_BYTES];
    char request_id[SIM_ID_BYTES];
    cJSON *request; /* as it was created */
    bool is_test;   /* ended from the start, and free */
    int64_t created_ms, billed_until_ms;
    int64_t ended_ms; /* 0: active */
    const char *end_reason;
    struct net_timer longest; /* max_call_duration */
    struct net_timer absence; /* participant_absent_timeout */
};

/* The vendor's state: its conversations, oldest first. */
struct rooms {
    struct rt_table table;
};

static struct rooms *
rooms_of(struct sim *sim)
{
    void **state = sim_vendor_state(sim, &sim_tavus);
    if (*state == NULL)
        *state = calloc(1, sizeof(struct rooms));
    RT_ASSERT(*state != NULL);
    return *state;
}

static struct conversation *
conversation_at(struct rt_table_link *link)
{
    return link == NULL ? NULL : RT_CONTAINER_OF(link, struct conversation, link);
}

static struct conversation *
find(struct sim *sim, const char *id, size_t id_bytes)
{
    struct rt_table_link *link = NULL;
    uint64_t hash = rt_hash_bytes(id, id_bytes);
    while ((link = rt_table_find(&rooms_of(sim)->table, hash, link)) != NULL) {
        struct conversation *conversation = conversation_at(link);
        if (strlen(conversation->id) == id_bytes && memcmp(conversation->id, id, id_bytes) == 0)
            return conversation;
    }
    return NULL;
}

static void
fail(struct sim_exchange *exchange, int status, const char *member, const char *text)
{
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, member, text);
    sim_answer_json(exchange, status, body);
}

static void
refuse(struct sim_exchange *exchange, enum sim_refusal refusal)
{
    switch (refusal) {
    case SIM_REFUSAL_KEY:
        fail(exchange, 401, "message", "Invalid access token");
        break;
    case SIM_REFUSAL_RATE:
        exchange->whole.retry_after_s = 1;
        fail(exchange, 429, "message", "User has reached maximum concurrent conversations");
        break;
    case SIM_REFUSAL_MONEY:
        fail(exchange, 402, "message", "The user is out of conversational credits.");
        break;
    case SIM_REFUSAL_SERVER:
        fail(exchange, 500, "message", "Internal server error");
        break;
    }
}

static bool
is_authorised(const struct net_request *request)
{
    return sim_key_is_known(net_request_header(request, "x-api-key"));
}

static void
add_time(cJSON *object, const char *name, int64_t wall_ms)
{
    char text[TIME_BYTES];
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + used, sizeof(text) - used, ".%03dZ", (int)(wall_ms % 1000));
    cJSON_AddStringToObject(object, name, text);
}

/* A member of the request as a text; "" when it is absent. */
static const char *
requested(const struct conversation *conversation, const char *name)
{
    const cJSON *member = cJSON_GetObjectItem(conversation->request, name);
    return cJSON_IsString(member) ? member->valuestring : "";
}

static cJSON *
conversation_json(const struct conversation *conversation)
{
    cJSON *object = cJSON_CreateObject();
    char url[SIM_ID_BYTES + 32];
    snprintf(url, sizeof(url), "https://tavus.daily.co/%s", conversation->id);
    cJSON_AddStringToObject(object, "conversation_id", conversation->id);
    cJSON_AddStringToObject(object, "conversation_name",
                            requested(conversation, "conversation_name"));
    cJSON_AddStringToObject(object, "conversation_url", url);
    cJSON_AddStringToObject(object, "status", conversation->ended_ms == 0 ? "active" : "ended");
    cJSON_AddStringToObject(object, "callback_url", requested(conversation, "callback_url"));
    cJSON_AddStringToObject(object, "replica_id", requested(conversation, "replica_id"));
    cJSON_AddStringToObject(object, "persona_id", requested(conversation, "persona_id"));
    add_time(object, "created_at", conversation->created_ms);
    add_time(object, "updated_at",
             conversation->ended_ms == 0 ? conversation->created_ms : conversation->ended_ms);
    return object;
}

static void
add_event(cJSON *events, const char *type, int64_t at_ms, const char *reason)
{
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "event_type", type);
    cJSON_AddStringToObject(event, "message_type", "system");
    add_time(event, "timestamp", at_ms);
    cJSON *properties = cJSON_AddObjectToObject(event, "properties");
    if (reason != NULL) {
        cJSON_AddStringToObject(properties, "shutdown_reason", reason);
        cJSON_AddStringToObject(properties, "reason", reason);
    }
    cJSON_AddItemToArray(events, event);
}

static void
add_events(cJSON *object, const struct conversation *conversation)
{
    cJSON *events = cJSON_AddArrayToObject(object, "events");
    if (conversation->is_test)
        return;
    add_event(events, "system.replica_joined", conversation->created_ms, NULL);
    if (conversation->ended_ms != 0)
        add_event(events, "system.shutdown", conversation->ended_ms, conversation->end_reason);
}

/* Bills the time until now. A clock that was set back bills nothing. */
static void
bill_until(struct conversation *conversation, int64_t now_ms)
{
    int64_t media_ms = now_ms - conversation->billed_until_ms;
    if (media_ms <= 0)
        return;
    sim_bill_add(&conversation->sim->bill, sim_tavus.name, conversation->request_id, 0, media_ms);
    conversation->billed_until_ms = now_ms;
}

static void
shut_down(struct conversation *conversation, const char *reason)
{
    struct sim *sim = conversation->sim;
    if (conversation->ended_ms != 0)
        return;
    int64_t now_ms = sim_wall_ms(sim);
    bill_until(conversation, now_ms);
    conversation->ended_ms = conversation->billed_until_ms;
    conversation->end_reason = reason;
    net_timers_cancel(sim->timers, &conversation->longest);
    net_timers_cancel(sim->timers, &conversation->absence);
}

static void
on_longest(struct net_timer *timer)
{
    shut_down(RT_CONTAINER_OF(timer, struct conversation, longest), "max_call_duration reached");
}

static void
on_absence(struct net_timer *timer)
{
    shut_down(RT_CONTAINER_OF(timer, struct conversation, absence),
              "participant_absent_timeout reached");
}

static void
forget(struct conversation *conversation)
{
    struct sim *sim = conversation->sim;
    net_timers_cancel(sim->timers, &conversation->longest);
    net_timers_cancel(sim->timers, &conversation->absence);
    rt_table_remove(&rooms_of(sim)->table, &conversation->link);
    cJSON_Delete(conversation->request);
    free(conversation);
}

/* Makes room for one more. False when all that there are still run. */
static bool
make_room(struct rooms *rooms)
{
    if (rooms->table.count < CONVERSATIONS_MAX)
        return true;
    for (struct rt_table_link *link = rt_table_first(&rooms->table); link != NULL;
         link = link->newer) {
        if (conversation_at(link)->ended_ms == 0)
            continue;
        forget(conversation_at(link));
        return true;
    }
    return false;
}

static void
bill_running(struct sim *sim)
{
    int64_t now_ms = sim_wall_ms(sim);
    for (struct rt_table_link *link = rt_table_first(&rooms_of(sim)->table); link != NULL;
         link = link->newer)
        if (conversation_at(link)->ended_ms == 0)
            bill_until(conversation_at(link), now_ms);
}

static void
reset(struct sim *sim)
{
    struct rooms *rooms = rooms_of(sim);
    while (rooms->table.count > 0)
        forget(conversation_at(rt_table_first(&rooms->table)));
    rt_table_deinit(&rooms->table);
    free(rooms);
    *sim_vendor_state(sim, &sim_tavus) = NULL;
}

/* A duration in `properties`. False when it is none. */
static bool
read_seconds(const cJSON *body, const char *name, uint32_t usual, uint32_t *seconds_out)
{
    const cJSON *value = cJSON_GetObjectItem(cJSON_GetObjectItem(body, "properties"), name);
    *seconds_out = usual;
    if (value == NULL || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsNumber(value) || value->valuedouble < 0 || value->valuedouble > CALL_SECONDS_MAX)
        return false;
    *seconds_out = (uint32_t)value->valuedouble;
    return true;
}

static bool
names_somebody(const cJSON *body)
{
    static const char *const names[] = {"replica_id", "face_id", "persona_id", "pal_id"};
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        const cJSON *name = cJSON_GetObjectItem(body, names[i]);
        if (cJSON_IsString(name) && name->valuestring[0] != '\0')
            return true;
    }
    return false;
}

struct durations {
    uint32_t longest_s, absence_s;
};

/* Returns what is wrong with a body, or NULL. */
static const char *
read_body(const cJSON *body, struct durations *durations_out)
{
    if (!cJSON_IsObject(body))
        return "Invalid JSON body";
    if (!names_somebody(body))
        return "replica_id or persona_id is required";
    if (!read_seconds(body, "max_call_duration", CALL_SECONDS_MAX, &durations_out->longest_s))
        return "properties.max_call_duration must be a number of seconds up to 3600";
    if (!read_seconds(body, "participant_absent_timeout", ABSENT_SECONDS_USUAL,
                      &durations_out->absence_s))
        return "properties.participant_absent_timeout must be a number of seconds up to 3600";
    return NULL;
}

/* Opens a room. Takes `body`. */
static struct conversation *
open_room(struct sim_exchange *exchange, cJSON *body, const struct durations *durations)
{
    struct sim *sim = exchange->sim;
    struct conversation *conversation = calloc(1, sizeof(*conversation));
    RT_ASSERT(conversation != NULL);
    conversation->sim = sim;
    conversation->request = body;
    conversation->created_ms = conversation->billed_until_ms = sim_wall_ms(sim);
    conversation->is_test = cJSON_IsTrue(cJSON_GetObjectItem(body, "test_mode"));
    conversation->longest.fire = on_longest;
    conversation->absence.fire = on_absence;
    sim_make_id(sim, "c", conversation->id);
    memcpy(conversation->request_id, exchange->request_id, sizeof(conversation->request_id));
    bool added = rt_table_add(&rooms_of(sim)->table, &conversation->link,
                              rt_hash_bytes(conversation->id, strlen(conversation->id)));
    RT_ASSERT(added);
    if (conversation->is_test) {
        shut_down(conversation, "test_mode");
        return conversation;
    }
    net_timers_set(sim->timers, &conversation->longest, durations->longest_s * RT_NS_PER_S);
    net_timers_set(sim->timers, &conversation->absence, durations->absence_s * RT_NS_PER_S);
    return conversation;
}

static void
create(struct sim_exchange *exchange, const struct net_request *request)
{
    cJSON *body = cJSON_ParseWithLength((const char *)request->body, request->body_bytes);
    struct durations durations;
    const char *problem = read_body(body, &durations);
    if (problem == NULL && make_room(rooms_of(exchange->sim))) {
        struct conversation *made = open_room(exchange, body, &durations);
        sim_answer_json(exchange, 200, conversation_json(made));
        return;
    }
    cJSON_Delete(body);
    if (problem == NULL)
        refuse(exchange, SIM_REFUSAL_RATE);
    else
        fail(exchange, 400, "error", problem);
}

/* The value of a query parameter, or NULL; it ends at '&' or at the end. */
static const char *
parameter(const char *query, const char *name)
{
    size_t name_bytes = strlen(name);
    for (const char *at = query; *at != '\0'; at += strcspn(at, "&"), at += *at == '&')
        if (strncmp(at, name, name_bytes) == 0 && at[name_bytes] == '=')
            return at + name_bytes + 1;
    return NULL;
}

static size_t
number_in(const char *query, const char *name, size_t usual, size_t most)
{
    const char *text = parameter(query, name);
    unsigned long number = text == NULL ? usual : strtoul(text, NULL, 10);
    return number < 1 ? 1 : number > most ? most : number;
}

static bool
has_status(const struct conversation *conversation, const char *wanted)
{
    const char *status = conversation->ended_ms == 0 ? "active" : "ended";
    return wanted == NULL || strncmp(wanted, status, strlen(status)) == 0;
}

/* Newest first, a page at a time. */
static void
list(struct sim_exchange *exchange, const char *query)
{
    size_t limit = number_in(query, "limit", LIST_USUAL, LIST_MAX);
    size_t skipped = (number_in(query, "page", 1, CONVERSATIONS_MAX) - 1) * limit;
    const char *status = parameter(query, "status");
    cJSON *body = cJSON_CreateObject();
    cJSON *data = cJSON_AddArrayToObject(body, "data");
    size_t count = 0;
    for (struct rt_table_link *link = rooms_of(exchange->sim)->table.newest; link != NULL;
         link = link->older) {
        if (!has_status(conversation_at(link), status))
            continue;
        if (count >= skipped && count < skipped + limit)
            cJSON_AddItemToArray(data, conversation_json(conversation_at(link)));
        count++;
    }
    cJSON_AddNumberToObject(body, "total_count", (double)count);
    sim_answer_json(exchange, 200, body);
}

static void
show(struct sim_exchange *exchange, const struct conversation *conversation, const char *query)
{
    const char *verbose = parameter(query, "verbose");
    cJSON *body = conversation_json(conversation);
    if (verbose != NULL && strncmp(verbose, "true", 4) == 0)
        add_events(body, conversation);
    sim_answer_json(exchange, 200, body);
}

static void
stop(struct sim_exchange *exchange, struct conversation *conversation)
{
    if (conversation->ended_ms != 0) {
        fail(exchange, 400, "error", "Invalid conversation_id");
        return;
    }
    shut_down(conversation, "end_conversation_endpoint_hit");
    sim_answer_json(exchange, 200, cJSON_CreateObject());
}

static void delete (struct sim_exchange *exchange, struct conversation *conversation)
{
    shut_down(conversation, "daily_room_has_been_deleted");
    forget(conversation);
    sim_answer_json(exchange, 204, NULL);
}

/* `path` is what follows "/v2/conversations/". */
static void
answer_one(struct sim_exchange *exchange, const struct net_request *request, const char *path)
{
    size_t id_bytes = strcspn(path, "/");
    const char *verb = path + id_bytes;
    struct conversation *conversation = find(exchange->sim, path, id_bytes);
    if (conversation == NULL)
        fail(exchange, 400, "error", "Invalid conversation_id");
    else if (strcmp(request->method, "POST") == 0 && strcmp(verb, "/end") == 0)
        stop(exchange, conversation);
    else if (strcmp(request->method, "GET") == 0 && verb[0] == '\0')
        show(exchange, conversation, request->query);
    else if (strcmp(request->method, "DELETE") == 0 && verb[0] == '\0')
        delete (exchange, conversation);
    else
        fail(exchange, 404, "message", "Not found");
}

static void
answer(struct sim_exchange *exchange, const struct net_request *request, const char *path)
{
    static const char prefix[] = "/v2/conversations";
    size_t prefix_bytes = sizeof(prefix) - 1;
    bool is_ours = strncmp(path, prefix, prefix_bytes) == 0;
    if (is_ours && path[prefix_bytes] == '/')
        answer_one(exchange, request, path + prefix_bytes + 1);
    else if (is_ours && path[prefix_bytes] == '\0' && strcmp(request->method, "POST") == 0)
        create(exchange, request);
    else if (is_ours && path[prefix_bytes] == '\0' && strcmp(request->method, "GET") == 0)
        list(exchange, request->query);
    else
        fail(exchange, 404, "message", "Not found");
}

/* False: the room has ended, or there is none. */
static bool
join(struct sim *sim, struct conversation *conversation)
{
    if (conversation == NULL || conversation->ended_ms != 0)
        return false;
    net_timers_cancel(sim->timers, &conversation->absence);
    return true;
}

static bool
join_all(struct sim *sim)
{
    for (struct rt_table_link *link = rt_table_first(&rooms_of(sim)->table); link != NULL;
         link = link->newer)
        join(sim, conversation_at(link));
    return true;
}

/* POST /_join/{id}: somebody joins. POST /_join: somebody joins each room. */
static bool
control(struct sim *sim, struct net_conn *conn, const struct net_request *request, const char *path)
{
    static const char prefix[] = "/_join";
    const char *id = path + sizeof(prefix) - 1;
    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0 || (*id != '\0' && *id != '/') ||
        strcmp(request->method, "POST") != 0)
        return false;
    bool ok = *id == '\0' ? join_all(sim) : join(sim, find(sim, id + 1, strlen(id + 1)));
    cJSON *body = cJSON_CreateObject();
    cJSON_AddBoolToObject(body, "ok", ok);
    sim_respond_json(conn, ok ? 200 : 404, body);
    return true;
}

const struct sim_vendor sim_tavus = {.name = "tavus",
                                     .is_authorised = is_authorised,
                                     .answer = answer,
                                     .refuse = refuse,
                                     .control = control,
                                     .bill_running = bill_running,
                                     .reset = reset};
