/*
 * A session of one turn under an Idempotency-Key: it outlives its connection, gathers the answer
 * itself, and has it kept.
 *
 *   the last leg is settled ──► with the answer, in one ──► kept ──► the client
 *   no leg was left to do so ──► TURN_END ──► kept, or forgotten ──► the client
 *
 * What came to nothing and cost nothing is forgotten: the same key may try again.
 */
#include <string.h>

#include "actors/session_state.h"
#include "actors/turn_answer.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { STORE_RETRY_MS = 1000, AUDIO_ROOM_FIRST = 64 * 1024 };

void
session_keyed_init(struct rt_actor *self, struct session *session,
                   const struct session_ready *ready)
{
    if (!ready->is_keyed)
        return;
    struct session_keyed *keyed = rt_pool_take(sizeof(*keyed));
    if (keyed == NULL) {
        rt_fail(self, "no_memory"); /* nothing was done: the connection forgets the key */
        return;
    }
    *keyed = (struct session_keyed){.head = {.key = ready->key}};
    RT_TEXT_SET(keyed->head.session_id, session->id);
    session->keyed = keyed;
}

static void
submit(struct rt_actor *self, struct session *session, struct rt_buffer *record)
{
    const struct vito_store *store = &session->world->store;
    struct vito_request request = {.op = VITO_TURN_END, .document = record};
    RT_TEXT_SET(request.tenant_id, session->config->id);
    session->keyed->request = ++session->request_id;
    store->submit(store->self, self, &request, session->keyed->request);
}

/* Who goes without an answer says so: a vendor may have been called, or was not. */
static void
give_up(struct rt_actor *self, struct session *session)
{
    struct vito_turn_answer head = session->keyed->head;
    head.status = VITO_TURN_FORGET;
    for (const struct session_turn *turn = session->turns; turn != NULL; turn = turn->next)
        if (turn->state == TURN_RUNNING)
            head.status = VITO_TURN_GIVE_UP;
    struct rt_buffer *record = vito_turn_answer_make(&head, NULL, 0);
    if (record != NULL) /* else it counts as running until it is too old */
        submit(self, session, record);
}

void
session_keyed_deinit(struct rt_actor *self, struct session *session, enum rt_exit_reason reason)
{
    struct session_keyed *keyed = session->keyed;
    if (keyed == NULL)
        return;
    if (!keyed->recorded && reason != RT_EXIT_SHUTDOWN) /* then our life at the store ends */
        give_up(self, session);
    rt_timer_cancel(self, &keyed->retry_timer);
    rt_pool_give(keyed->audio, keyed->audio_room_bytes);
    rt_buffer_release(keyed->record);
    rt_pool_give(keyed, sizeof(*keyed));
    session->keyed = NULL;
}

static void
gather(struct session_keyed *keyed, const struct rt_buffer *samples)
{
    size_t size_bytes = keyed->audio_bytes + samples->size_bytes;
    size_t room_bytes = keyed->audio_room_bytes == 0 ? AUDIO_ROOM_FIRST : keyed->audio_room_bytes;
    if (size_bytes > SESSION_KEYED_AUDIO_BYTES_MAX)
        return; /* the rest was metered, but one answer has a bound */
    while (room_bytes < size_bytes)
        room_bytes *= 2;
    if (room_bytes > keyed->audio_room_bytes) {
        uint8_t *longer = rt_pool_take(room_bytes);
        if (longer == NULL)
            return;
        if (keyed->audio_bytes > 0)
            memcpy(longer, keyed->audio, keyed->audio_bytes);
        rt_pool_give(keyed->audio, keyed->audio_room_bytes);
        keyed->audio = longer;
        keyed->audio_room_bytes = room_bytes;
    }
    memcpy(keyed->audio + keyed->audio_bytes, samples->bytes, samples->size_bytes);
    keyed->audio_bytes = size_bytes;
}

bool
session_keyed_takes(struct rt_actor *self, struct session *session, struct rt_message *frame)
{
    const struct frame_out *out = rt_message_payload(frame);
    struct session_keyed *keyed = session->keyed;
    if (out->type != FRAME_OUTPUT_TEXT && out->type != FRAME_OUTPUT_AUDIO)
        return false;
    if (out->type == FRAME_OUTPUT_AUDIO) { /* the turn has the text */
        RT_TEXT_SET(keyed->format, out->format);
        gather(keyed, frame->buffer);
    }
    uint32_t bytes = frame->buffer->size_bytes + SESSION_FRAME_WEIGHT;
    rt_message_destroy(frame);
    session_on_credit(self, session, bytes);
    return true;
}

/* Of legs that are settled, and of those that are being settled. */
static struct vito_use
use_of(const struct session *session, const struct session_turn *turn)
{
    struct vito_use use = turn->use;
    for (const struct session_leg *leg = session->legs; leg != NULL; leg = leg->next) {
        use.tokens += leg->use.tokens;
        use.media_ms += leg->use.media_ms;
        use.interactions += leg->use.interactions;
    }
    return use;
}

static struct rt_buffer *
make_answer(const struct session *session, const struct session_turn *turn)
{
    const struct session_keyed *keyed = session->keyed;
    struct vito_use use = use_of(session, turn);
    const struct turn_answer answer = {
        .turn_id = session->id,
        .mode = use.media_ms > 0 ? VITO_VOICE : VITO_TEXT,
        .text = turn->answer,
        .text_bytes = turn->answer_bytes,
        .audio = keyed->audio,
        .audio_bytes = keyed->audio_bytes,
        .format = keyed->format,
        .use = use,
        .cost_nusd = turn->cost_nusd,
        .provider_id = turn->provider_id,
        .decision = &turn->decision,
    };
    struct vito_turn_answer head = keyed->head;
    head.status = 200;
    struct wire_bytes bytes;
    if (turn_answer_write(&answer, &bytes) != RT_OK)
        return NULL;
    return vito_turn_answer_make(&head, bytes.bytes, bytes.size_bytes);
}

struct rt_buffer *
session_keyed_answer(const struct session *session, const struct session_leg *leg)
{
    const struct session_turn *turn = leg->turn;
    if (session->keyed == NULL || turn == NULL || turn->request != 0 || turn->answer_bytes == 0 ||
        turn->failure.reason != PROBLEM_NONE)
        return NULL;
    for (const struct session_leg *other = session->legs; other != NULL; other = other->next)
        if (other != leg && other->state != LEG_SETTLING)
            return NULL; /* not the last */
    return make_answer(session, turn);
}

void
session_keyed_on_settled(struct session *session, const struct rt_message *message)
{
    struct session_keyed *keyed = session->keyed;
    if (keyed == NULL || message->buffer == NULL || keyed->recorded)
        return;
    keyed->record = rt_buffer_acquire(message->buffer);
    keyed->recorded = true;
}

/* What is to be kept of a turn whose legs have not brought its answer to the ledger. */
static struct rt_buffer *
make_end(const struct session *session, const struct session_turn *turn)
{
    bool failed = turn->failure.reason != PROBLEM_NONE || turn->answer_bytes == 0;
    struct vito_turn_answer head = session->keyed->head;
    if (!failed || (turn->cost_nusd > 0 && turn->failure.reason == PROBLEM_NONE))
        return make_answer(session, turn);
    head.status = VITO_TURN_FORGET;
    if (turn->cost_nusd == 0)
        return vito_turn_answer_make(&head, NULL, 0);
    struct wire_bytes bytes;
    head.status = problem_status(&turn->failure);
    if (turn_problem_write(&turn->failure, &bytes) != RT_OK)
        return NULL;
    return vito_turn_answer_make(&head, bytes.bytes, bytes.size_bytes);
}

bool
session_keyed_may_finish(struct rt_actor *self, struct session *session,
                         const struct session_turn *turn)
{
    struct session_keyed *keyed = session->keyed;
    if (keyed == NULL || keyed->recorded)
        return true;
    if (keyed->record == NULL) {
        keyed->record = make_end(session, turn);
        if (keyed->record == NULL)
            rt_fail(self, "no_memory");
        else
            submit(self, session, rt_buffer_acquire(keyed->record));
    }
    return false;
}

void
session_on_stored(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    struct session_keyed *keyed = session->keyed;
    enum rt_status status = vito_stored_of(message)->status;
    if (keyed == NULL || message->request_id != keyed->request)
        return;
    if (status == RT_UNAVAILABLE || status == RT_NO_MEMORY) {
        rt_timer_set(self, &keyed->retry_timer, STORE_RETRY_MS * RT_NS_PER_MS);
        return;
    }
    keyed->recorded = true;
    if (session->turns != NULL)
        session_turn_finish(self, session, session->turns);
}

bool
session_on_keyed_timer(struct rt_actor *self, struct session *session, const struct rt_timer *timer)
{
    if (session->keyed == NULL || timer != &session->keyed->retry_timer)
        return false;
    submit(self, session, rt_buffer_acquire(session->keyed->record));
    return true;
}

struct rt_buffer *
session_keyed_record(const struct session *session)
{
    return session->keyed == NULL || session->keyed->record == NULL
               ? NULL
               : rt_buffer_acquire(session->keyed->record);
}
