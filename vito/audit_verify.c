#include "vito/audit_verify.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text.h"
#include "vito/json.h"
#include "vito/json_slice.h"
#include "vito/money.h"
#include "vito/period.h"

#define TYPE_USAGE "dev.twingateway.usage.posted.v1"
#define TYPE_CHECKPOINT "dev.twingateway.audit.checkpoint.v1"
#define TYPE_HEAD "dev.twingateway.audit.head.v1"

/* A line, taken apart. */
struct line {
    const char *text;
    size_t size_bytes;
    const cJSON *json, *data;
    const char *id, *type;
    int64_t seq;
    struct vito_chain chain;
};

RT_PRINTF(2, 3)
static enum rt_status
broken(struct vito_audit_verifier *verifier, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verifier->problem, sizeof(verifier->problem), format, arguments);
    va_end(arguments);
    for (char *at = verifier->problem; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?'; /* ids of a file that others wrote, on somebody's terminal */
    return RT_INVALID;
}

static int
digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
vito_hex_parse(const char *text, uint8_t *bytes_out, size_t size_bytes)
{
    if (text == NULL || strlen(text) != 2 * size_bytes)
        return false;
    for (size_t i = 0; i < size_bytes; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes_out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char *
text_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

static int64_t
number_of(const cJSON *object, const char *name)
{
    const cJSON *number = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(number) ? (int64_t)number->valuedouble : -1;
}

static bool
read_number(const char *text, int64_t *number_out)
{
    size_t count = text == NULL ? 0 : strspn(text, "0123456789");
    if (count == 0 || count > 18 || text[count] != '\0')
        return false;
    *number_out = strtoll(text, NULL, 10);
    return true;
}

static bool
chains_match(const struct vito_chain *a, const struct vito_chain *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* What is said twice in a line, and chained once. */
static bool
subject_matches(const struct line *line, const char *session_id)
{
    const char *subject = text_of(line->json, "subject");
    return strcmp(subject == NULL ? "" : subject, session_id == NULL ? "" : session_id) == 0;
}

/* Members that are not there would read as null. */
static bool
has_members(const cJSON *object, const char *const *names)
{
    for (; *names != NULL; names++)
        if (cJSON_GetObjectItemCaseSensitive(object, *names) == NULL)
            return false;
    return true;
}

/* What an entry said when it was written, from what the line says. False when it cannot be one. */
static bool
read_record(const struct line *line, const char *tenant_id, struct vito_audit_record *record)
{
    static const char *const of_all[] = {"session_id", NULL};
    static const char *const of_legs[] = {"provider_id", "decision_id", "policy_version",
                                          "mode",        "outcome",     NULL};
    const cJSON *data = line->data;
    const cJSON *units = cJSON_GetObjectItemCaseSensitive(data, "units");
    const char *at = text_of(line->json, "time"), *cost = text_of(data, "cost_amount");
    *record = (struct vito_audit_record){
        .id = line->id,
        .tenant_id = tenant_id,
        .event = text_of(data, "event"),
        .session_id = text_of(data, "session_id"),
    };
    if (record->event == NULL || at == NULL || vito_time_parse(at, &record->at_ms) != RT_OK ||
        !subject_matches(line, record->session_id) || !has_members(data, of_all))
        return false;
    record->is_leg = strcmp(record->event, "BILLING_EVENT") == 0;
    if (record->is_leg != (strcmp(line->type, TYPE_USAGE) == 0) ||
        (record->is_leg && !has_members(data, of_legs)))
        return false;
    if (!record->is_leg) {
        bool found = vito_json_slice(line->text, line->size_bytes, "data", "details",
                                     &record->details, &record->details_bytes);
        if (found && record->details_bytes == 4 && memcmp(record->details, "null", 4) == 0)
            record->details = NULL, record->details_bytes = 0;
        return found;
    }
    record->provider_id = text_of(data, "provider_id");
    record->decision_id = text_of(data, "decision_id");
    record->policy_version = text_of(data, "policy_version");
    record->mode = text_of(data, "mode");
    record->outcome = text_of(data, "outcome");
    record->tokens = number_of(units, "tokens");
    record->media_ms = number_of(units, "media_ms");
    record->interactions = number_of(units, "interactions");
    return cost != NULL && vito_money_parse(cost, &record->cost_nusd) == RT_OK;
}

/* Where we are, for a person. */
static const char *
last_entry(const struct vito_audit_verifier *verifier, char *text, size_t room)
{
    if (verifier->entries > 0)
        snprintf(text, room, "entry %s (%" PRId64 ", %s)", verifier->last_id, verifier->seq,
                 verifier->last_at);
    else if (verifier->start_seq > 0)
        snprintf(text, room, "the checkpoint at %" PRId64 ", where it begins", verifier->start_seq);
    else
        snprintf(text, room, "its beginning");
    return text;
}

static void
note_anchor(struct vito_audit_verifier *verifier)
{
    if (verifier->seq == verifier->anchor.seq)
        verifier->anchor_met = chains_match(&verifier->chain, &verifier->anchor.chain);
}

static enum rt_status
take_entry(struct vito_audit_verifier *verifier, const struct line *line)
{
    struct vito_audit_record record;
    char before[160];
    if (!read_record(line, verifier->name, &record))
        return broken(verifier,
                      "line %" PRIu64
                      " is not an audit entry: members are missing, or contradict each other",
                      verifier->lines);
    struct vito_chain chain = vito_audit_chain(&verifier->chain, &record);
    if (line->seq <= verifier->seq || !chains_match(&chain, &line->chain))
        return broken(verifier,
                      "entry %s (%" PRId64 ", %s) does not follow from %s: it was changed or"
                      " moved, or one between them was taken out or put in",
                      line->id, line->seq, text_of(line->json, "time"),
                      last_entry(verifier, before, sizeof(before)));
    if (strcmp(record.event, "AUDIT_PRUNED") == 0) {
        const cJSON *details = cJSON_GetObjectItemCaseSensitive(line->data, "details");
        verifier->start_told |= number_of(details, "through") == verifier->start_seq;
    }
    verifier->chain = chain;
    verifier->seq = line->seq;
    verifier->entries++;
    snprintf(verifier->last_id, sizeof(verifier->last_id), "%s", line->id);
    snprintf(verifier->last_at, sizeof(verifier->last_at), "%s", text_of(line->json, "time"));
    note_anchor(verifier);
    return RT_OK;
}

static bool
read_checkpoint(const struct vito_audit_verifier *verifier, const struct line *line,
                struct vito_checkpoint *checkpoint)
{
    const char *at = text_of(line->json, "time");
    *checkpoint = (struct vito_checkpoint){.seq = line->seq, .chain = line->chain};
    RT_TEXT_SET(checkpoint->tenant_id, verifier->name);
    const char *algorithm = text_of(line->data, "algorithm");
    return at != NULL && vito_time_parse(at, &checkpoint->at_ms) == RT_OK && algorithm != NULL &&
           strcmp(algorithm, "ed25519") == 0 &&
           vito_hex_parse(text_of(line->data, "key"), checkpoint->key, sizeof(checkpoint->key)) &&
           vito_hex_parse(text_of(line->data, "signature"), checkpoint->signature,
                          sizeof(checkpoint->signature));
}

/* Who signs first is who signs. */
static bool
is_by_our_key(struct vito_audit_verifier *verifier, const struct vito_checkpoint *checkpoint)
{
    if (!verifier->has_key)
        memcpy(verifier->key, checkpoint->key, sizeof(verifier->key));
    verifier->has_key = true;
    return memcmp(verifier->key, checkpoint->key, sizeof(verifier->key)) == 0;
}

static enum rt_status
take_checkpoint(struct vito_audit_verifier *verifier, const struct line *line)
{
    struct vito_checkpoint checkpoint;
    char before[160];
    if (!read_checkpoint(verifier, line, &checkpoint))
        return broken(verifier, "line %" PRIu64 " is not a checkpoint: members are missing",
                      verifier->lines);
    if (!vito_checkpoint_is_signed(&checkpoint))
        return broken(verifier, "the checkpoint at %" PRId64 " has no valid signature", line->seq);
    if (!is_by_our_key(verifier, &checkpoint))
        return broken(verifier, "the checkpoint at %" PRId64 " was signed with another key",
                      line->seq);
    if (verifier->lines == 1) {
        verifier->start_seq = verifier->seq = line->seq;
        verifier->chain = line->chain;
        note_anchor(verifier);
    } else if (line->seq != verifier->seq) {
        return broken(verifier,
                      "there is a checkpoint at %" PRId64 ", and the last entry before it is %s:"
                      " entries between them were taken out",
                      line->seq, last_entry(verifier, before, sizeof(before)));
    } else if (!chains_match(&line->chain, &verifier->chain)) {
        return broken(verifier,
                      "the checkpoint at %" PRId64 " was signed for another chain: entries up to"
                      " %s were written anew",
                      line->seq, last_entry(verifier, before, sizeof(before)));
    }
    verifier->checkpoints++;
    verifier->checkpoint_seq = line->seq;
    return RT_OK;
}

static enum rt_status
take_head(struct vito_audit_verifier *verifier, const struct line *line)
{
    char before[160];
    int64_t checkpoint_seq = number_of(line->data, "checkpoint");
    if (line->seq != verifier->seq)
        return broken(verifier,
                      "the trail stands at %" PRId64 ", and %s is the last: its end was %s",
                      line->seq, last_entry(verifier, before, sizeof(before)),
                      line->seq > verifier->seq ? "cut off" : "added to");
    if (!chains_match(&line->chain, &verifier->chain))
        return broken(verifier, "the head at %" PRId64 " has another chain than the last entry",
                      line->seq);
    if (checkpoint_seq != verifier->checkpoint_seq)
        return broken(verifier,
                      "the last checkpoint was at %" PRId64 ", and the last that is there is at"
                      " %" PRId64 ": checkpoints were taken out",
                      checkpoint_seq, verifier->checkpoint_seq);
    if (number_of(line->data, "pruned") != verifier->start_seq)
        return broken(verifier, "the trail begins at %" PRId64 ", and what is there at %" PRId64,
                      number_of(line->data, "pruned"), verifier->start_seq);
    verifier->ended = true;
    return RT_OK;
}

/* Whose trail it is, from "/tenants/cantor". */
static enum rt_status
take_source(struct vito_audit_verifier *verifier, const struct line *line)
{
    static const char prefix[] = "/tenants/";
    const char *source = text_of(line->json, "source");
    if (source == NULL || strncmp(source, prefix, sizeof(prefix) - 1) != 0 ||
        !vito_tenant_id_is_valid(source + sizeof(prefix) - 1))
        return broken(verifier, "line %" PRIu64 " names no tenant in its source", verifier->lines);
    source += sizeof(prefix) - 1;
    if (verifier->lines == 1)
        RT_TEXT_SET(verifier->name, verifier->tenant_id != NULL ? verifier->tenant_id : source);
    if (strcmp(source, verifier->name) != 0)
        return broken(verifier, "line %" PRIu64 " (%s) is of \"%s\", in the trail of \"%s\"",
                      verifier->lines, line->id, source, verifier->name);
    return RT_OK;
}

static enum rt_status
take_line(struct vito_audit_verifier *verifier, struct line *line)
{
    line->id = text_of(line->json, "id");
    line->type = text_of(line->json, "type");
    line->data = cJSON_GetObjectItemCaseSensitive(line->json, "data");
    if (line->id == NULL || line->type == NULL || !cJSON_IsObject(line->data) ||
        !read_number(text_of(line->json, "sequence"), &line->seq) ||
        !vito_hex_parse(text_of(line->json, "chain"), line->chain.bytes, sizeof(line->chain.bytes)))
        return broken(verifier, "line %" PRIu64 " is no event of an audit trail", verifier->lines);
    enum rt_status status = take_source(verifier, line);
    if (status != RT_OK)
        return status;
    if (verifier->ended)
        return broken(verifier, "line %" PRIu64 " (%s) stands behind the head", verifier->lines,
                      line->id);
    if (strcmp(line->type, TYPE_HEAD) == 0)
        return take_head(verifier, line);
    if (strcmp(line->type, TYPE_CHECKPOINT) == 0)
        return take_checkpoint(verifier, line);
    return take_entry(verifier, line);
}

enum rt_status
vito_audit_verify_line(struct vito_audit_verifier *verifier, const char *line, size_t size_bytes)
{
    verifier->lines++;
    const char *end = NULL;
    cJSON *json = size_bytes > VITO_AUDIT_LINE_BYTES_MAX
                      ? NULL
                      : cJSON_ParseWithLengthOpts(line, size_bytes, &end, false);
    if (!cJSON_IsObject(json) || end != line + size_bytes || vito_json_repeats_a_name(json)) {
        cJSON_Delete(json);
        return broken(verifier,
                      "line %" PRIu64 " is not a JSON object with members of one name each",
                      verifier->lines);
    }
    struct line parsed = {.text = line, .size_bytes = size_bytes, .json = json};
    enum rt_status status = take_line(verifier, &parsed);
    cJSON_Delete(json);
    return status;
}

enum rt_status
vito_audit_verify_end(struct vito_audit_verifier *verifier)
{
    char last[160];
    last_entry(verifier, last, sizeof(last));
    if (verifier->lines == 0)
        return broken(verifier, "there is nothing to verify");
    if (!verifier->ended)
        return broken(verifier, "the export ends without its head: it was cut off behind %s", last);
    if (verifier->start_seq > 0 && !verifier->start_told)
        return broken(verifier,
                      "it begins at the checkpoint at %" PRId64
                      ", and no AUDIT_PRUNED entry says so: its beginning was cut off",
                      verifier->start_seq);
    if (verifier->anchor.seq > 0 && !verifier->anchor_met)
        return broken(verifier,
                      "it has no entry %" PRId64 " with the anchor's chain: the trail was %s",
                      verifier->anchor.seq,
                      verifier->anchor.seq > verifier->seq ? "cut off behind the last entry"
                                                           : "written anew, or that entry is gone");
    return RT_OK;
}
