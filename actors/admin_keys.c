/*
 * The operators' API: a key in the place of another one, which is good for a while longer.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/text.h"
#include "vito/json.h"

enum { OVERLAP_S_DEFAULT = 24 * 3600, OVERLAP_S_MAX = 7 * 24 * 3600 };

static void
key_rotated(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
            struct rt_message *answer)
{
    const struct admin_done *done = rt_message_payload(answer);
    if (done->problem.reason != PROBLEM_NONE) {
        admin_finish_refused(self, admin, operation, done->problem);
        return;
    }
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "id", operation->name);
    wire_text(writer, "key", operation->secret);
    wire_text(writer, "replaces", operation->replaces);
    wire_time(writer, "replaced_until", operation->replaced_until_ms);
    wire_close(writer);
    admin_finish(self, admin, operation, admin_done_message(201, NULL, admin_written(writer)));
}

/* {"overlap_s": 0 … a week}, a day when it is left out. */
static struct problem
read_overlap(const struct rt_buffer *body, int64_t *overlap_s_out)
{
    cJSON *json = NULL;
    const char *what = NULL;
    *overlap_s_out = OVERLAP_S_DEFAULT;
    if (body == NULL || body->size_bytes == 0)
        return problem_make(PROBLEM_NONE, NULL);
    if (vito_json_parse((const char *)body->bytes, body->size_bytes, &json, &what) != RT_OK)
        return problem_make(PROBLEM_MALFORMED_JSON, "%s", what);
    const cJSON *overlap = cJSON_GetObjectItemCaseSensitive(json, "overlap_s");
    double seconds = cJSON_IsNumber(overlap) ? overlap->valuedouble : OVERLAP_S_DEFAULT;
    bool is_sound = cJSON_IsObject(json) && cJSON_GetArraySize(json) == (overlap != NULL) &&
                    (overlap == NULL || cJSON_IsNumber(overlap)) && seconds >= 0 &&
                    seconds <= OVERLAP_S_MAX && seconds == floor(seconds);
    cJSON_Delete(json);
    if (!is_sound)
        return problem_make(PROBLEM_INVALID_FIELD,
                            "the body has /overlap_s, whole seconds from 0 to %d, or nothing",
                            OVERLAP_S_MAX);
    *overlap_s_out = (int64_t)seconds;
    return problem_make(PROBLEM_NONE, NULL);
}

void
admin_key_rotate(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    int64_t overlap_s;
    struct problem problem = read_overlap(call->message->buffer, &overlap_s);
    if (problem.reason != PROBLEM_NONE) {
        admin_refuse(self, call, problem);
        return;
    }
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct rt_message *message = admin_order(REGISTRY_KEY_ROTATE, operation);
    if (message != NULL) {
        struct registry_order *order = rt_message_payload(message);
        admin_make_key(self, admin, operation, &order->key);
        admin_copy_id(order->replaces, call->segments[3]);
        order->replaced_until_ms = order->key.created_ms + overlap_s * 1000;
        RT_TEXT_SET(operation->replaces, order->replaces);
        operation->replaced_until_ms = order->replaced_until_ms;
    }
    operation->next = key_rotated;
    admin_ask_registry(self, admin, operation, message);
}
