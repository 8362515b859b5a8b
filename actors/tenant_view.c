/*
 * What operators see of a tenant: balance, sessions, decisions, as JSON (CONTRACT 5).
 */
#include <stdio.h>
#include <string.h>

#include "actors/tenant_state.h"

/* Units as they are sold (thousands of tokens, minutes, turns): counts, so JSON numbers, with
 * three places where there is a fraction. */
static void
write_units(struct wire_writer *writer, const char *key, int64_t count, int64_t per_unit)
{
    int64_t whole = count / per_unit;
    int64_t thousandths = count % per_unit * 1000 / per_unit;
    char text[32];
    if (thousandths == 0)
        snprintf(text, sizeof(text), "%lld", (long long)whole);
    else
        snprintf(text, sizeof(text), "%lld.%03lld", (long long)whole, (long long)thousandths);
    wire_json(writer, key, text, strlen(text));
}

static void
write_balance(struct wire_writer *writer, const struct tenant *tenant)
{
    const struct vito_account *account = &tenant->book->account;
    int64_t media_ms = account->media_ms[VITO_VOICE] + account->media_ms[VITO_VIDEO];
    wire_open_map(writer, NULL);
    wire_open_map(writer, "period");
    wire_time(writer, "start", account->period.start_ms);
    wire_time(writer, "end", account->period.end_ms);
    wire_close(writer);
    wire_usd(writer, "limit_usd", account->limit_nusd);
    wire_usd(writer, "posted_usd", account->posted_nusd);
    wire_usd(writer, "refunded_usd", tenant->book->refunded_nusd);
    wire_usd(writer, "held_usd", account->held_nusd);
    wire_usd(writer, "remaining_usd", vito_account_remaining(account));
    wire_open_map(writer, "meters");
    write_units(writer, "token_unit", account->tokens, 1000);
    write_units(writer, "minute_unit", media_ms, 60000);
    write_units(writer, "interaction_unit", account->interactions, 1);
    wire_close(writer);
    wire_open_map(writer, "raw");
    wire_int(writer, "tokens", account->tokens);
    wire_int(writer, "voice_ms", account->media_ms[VITO_VOICE]);
    wire_int(writer, "video_ms", account->media_ms[VITO_VIDEO]);
    wire_int(writer, "interactions", account->interactions);
    wire_close(writer);
    wire_close(writer);
}

static void
write_sessions(struct wire_writer *writer, const struct tenant *tenant)
{
    wire_open_map(writer, NULL);
    wire_open_array(writer, "sessions");
    for (struct rt_table_link *link = rt_table_first(&tenant->sessions); link != NULL;
         link = link->newer) {
        const struct tenant_session *session = RT_CONTAINER_OF(link, struct tenant_session, link);
        wire_open_map(writer, NULL);
        wire_text(writer, "id", session->id);
        wire_text(writer, "mode", vito_mode_name(session->mode));
        wire_time(writer, "began_at", session->began_ms);
        wire_usd(writer, "settled_usd", session->settled_nusd);
        wire_usd(writer, "held_usd", session->held_nusd);
        wire_int(writer, "turns", session->turns);
        wire_close(writer);
    }
    wire_close(writer);
    wire_close(writer);
}

/* The facts a policy gave are a JSON object of its own. */
static void
write_inputs(struct wire_writer *writer, const struct tenant_decision *record)
{
    const struct policy_question *question = &record->question;
    wire_open_map(writer, "inputs");
    wire_text(writer, "mode", vito_mode_name(question->mode));
    wire_usd(writer, "price_max_usd", question->price_max_nusd);
    wire_int(writer, "text_bytes", question->text_bytes);
    wire_usd(writer, "limit_usd", question->limit_nusd);
    wire_usd(writer, "posted_usd", question->posted_nusd);
    wire_usd(writer, "held_usd", question->held_nusd);
    wire_usd(writer, "remaining_usd", question->remaining_nusd);
    wire_usd(writer, "session_usd", question->session_nusd);
    wire_close(writer);
    wire_open_map(writer, "counters");
    wire_int(writer, "sessions", question->sessions);
    wire_int(writer, "queued", question->queued);
    wire_int(writer, "rate_per_second", question->rate_per_second);
    wire_int(writer, "session_turns", question->session_turns);
    wire_int(writer, "session_tokens", question->session_tokens);
    wire_int(writer, "voice_ms", question->voice_ms);
    wire_int(writer, "video_ms", question->video_ms);
    wire_close(writer);
}

static void
write_decision(struct wire_writer *writer, const struct tenant *tenant,
               const struct tenant_decision *record)
{
    const struct frame_decision *decision = &record->decision;
    wire_open_map(writer, NULL);
    wire_text(writer, "id", decision->id);
    wire_text(writer, "tenant_id", tenant->config->id);
    wire_time(writer, "at", record->at_ms);
    wire_text(writer, "action", record->action);
    if (decision->reason[0] != '\0')
        wire_text(writer, "reason", decision->reason);
    wire_text(writer, "mode", vito_mode_name(decision->mode));
    wire_int(writer, "waited_ms", decision->waited_ms);
    wire_text(writer, "policy", record->policy);
    wire_text(writer, "policy_version", decision->policy_version);
    write_inputs(writer, record);
    if (record->facts[0] != '\0')
        wire_json(writer, "facts", record->facts, strlen(record->facts));
    wire_close(writer);
}

static struct problem
write_view(struct wire_writer *writer, const struct tenant *tenant, const struct tenant_view *view)
{
    if (tenant->broken != PROBLEM_NONE)
        return tenant_money_problem(tenant, tenant->broken);
    switch (view->what) {
    case TENANT_VIEW_BALANCE:
        write_balance(writer, tenant);
        break;
    case TENANT_VIEW_SESSIONS:
        write_sessions(writer, tenant);
        break;
    case TENANT_VIEW_DECISION: {
        const struct tenant_decision *record = tenant_find_decision(tenant, view->id);
        if (record == NULL)
            return problem_make(PROBLEM_NOT_FOUND,
                                "the last %d decisions of a twin are kept; this is none of them",
                                TENANT_DECISIONS);
        write_decision(writer, tenant, record);
        break;
    }
    }
    return problem_make(PROBLEM_NONE, NULL);
}

static struct rt_message *
view_message(const struct tenant *tenant, const struct tenant_view *view)
{
    struct rt_message *answer = rt_message_create(ADMIN_DONE, sizeof(struct admin_done));
    if (answer == NULL)
        return NULL;
    struct admin_done *done = rt_message_payload(answer);
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    done->problem = write_view(writer, tenant, view);
    done->status = problem_status(&done->problem);
    struct wire_bytes bytes;
    if (done->problem.reason == PROBLEM_NONE && wire_end(writer, &bytes) == RT_OK)
        answer->buffer = rt_buffer_copy(bytes.bytes, bytes.size_bytes);
    return answer;
}

/* Others spend from the same month: what they have is in the store. */
static bool
ask_for_balance(struct rt_actor *self, struct tenant *tenant, const struct rt_message *message)
{
    const struct tenant_view *view = rt_message_payload((struct rt_message *)message);
    if (view->what != TENANT_VIEW_BALANCE || tenant->broken != PROBLEM_NONE ||
        tenant->book->nodes < 2)
        return false;
    struct rt_owed *owed = rt_owe(self, message);
    if (owed != NULL)
        tenant_ask_book(self, tenant, TENANT_PENDING_VIEW, owed);
    return owed != NULL;
}

void
tenant_on_balance(struct rt_actor *self, struct tenant *tenant, struct rt_owed *owed,
                  const struct vito_stored *stored)
{
    if (stored->status == RT_OK && tenant->phase == TENANT_SERVING)
        tenant_on_book(self, tenant, stored);
    struct rt_message *answer =
        view_message(tenant, &(struct tenant_view){.what = TENANT_VIEW_BALANCE});
    if (answer != NULL)
        rt_owed_answer(self, owed, answer);
    else
        rt_owed_failed(self, owed, RT_NO_MEMORY);
}

void
tenant_on_view(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    if (ask_for_balance(self, tenant, message))
        return;
    struct rt_message *answer = view_message(tenant, rt_message_payload(message));
    if (answer != NULL)
        rt_answer(self, message, answer);
    tenant_became_idle(self, tenant);
}
