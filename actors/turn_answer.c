#include "actors/turn_answer.h"

#include <string.h>

#include "vito/money.h"

enum rt_status
turn_answer_write(const struct turn_answer *answer, struct wire_bytes *bytes_out)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "turn_id", answer->turn_id);
    wire_text(writer, "mode", vito_mode_name(answer->mode));
    wire_text_bytes(writer, "text", answer->text, answer->text_bytes);
    if (answer->audio_bytes > 0) {
        wire_open_map(writer, "audio");
        wire_text(writer, "format", answer->format);
        wire_binary(writer, "data", answer->audio, answer->audio_bytes);
        wire_close(writer);
    }
    use_write(writer, "usage", &answer->use);
    wire_usd(writer, "cost_usd", answer->cost_nusd);
    wire_text(writer, "provider_id", answer->provider_id);
    decision_write(writer, "decision", answer->decision);
    wire_close(writer);
    return wire_end(writer, bytes_out);
}

enum rt_status
turn_problem_write(const struct problem *problem, struct wire_bytes *bytes_out)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    problem_write(writer, problem);
    wire_close(writer);
    return wire_end(writer, bytes_out);
}

/* Quotes within texts are escaped, so the member's name is found nowhere else. */
struct rt_buffer *
turn_record_price(const struct rt_buffer *record, int64_t cost_nusd)
{
    static const char name[] = "\"cost_usd\":\"";
    char cost[VITO_USD_TEXT_BYTES];
    const uint8_t *at = memmem(record->bytes, record->size_bytes, name, sizeof(name) - 1);
    if (at == NULL)
        return NULL;
    at += sizeof(name) - 1;
    size_t before = (size_t)(at - record->bytes);
    const uint8_t *end = memchr(at, '"', record->size_bytes - before);
    if (end == NULL)
        return NULL;
    size_t cost_bytes = strlen(vito_money_format(cost_nusd, cost));
    size_t after = record->size_bytes - (size_t)(end - record->bytes);
    struct rt_buffer *priced = rt_buffer_create(before + cost_bytes + after);
    if (priced == NULL)
        return NULL;
    memcpy(priced->bytes, record->bytes, before);
    memcpy(priced->bytes + before, cost, cost_bytes);
    memcpy(priced->bytes + before + cost_bytes, end, after);
    return priced;
}
