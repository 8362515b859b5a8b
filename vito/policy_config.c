#include "vito/policy_config.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "runtime/assert.h"
#include "vito/json.h"
#include "vito/money.h"
#include "vito/problems.h"

enum {
    RATE_MAX = 1000000,
    QUEUE_MAX = 100000,
    WAIT_MAX_MS = 600000,
    MINUTE_MS = 60000,
    MEMBERS_MAX = 256, /* of one object, in the settings */
};
#define MINUTES_MAX INT64_C(1000000000)
#define TOKENS_MAX INT64_C(1000000000000)

static const char *const mode_names[VITO_MODE_COUNT] = {
    [VITO_TEXT] = "text", [VITO_VOICE] = "voice", [VITO_VIDEO] = "video"};

const char *
vito_mode_name(enum vito_mode mode)
{
    RT_ASSERT((unsigned)mode < VITO_MODE_COUNT);
    return mode_names[mode];
}

enum vito_mode
vito_mode_of(const char *name)
{
    for (int mode = 0; name != NULL && mode < VITO_MODE_COUNT; mode++)
        if (strcmp(name, mode_names[mode]) == 0)
            return (enum vito_mode)mode;
    return VITO_MODE_COUNT;
}

struct reading {
    struct vito_policy_config *config;
    struct vito_problems problems;
    bool no_memory;
};

/* One member an object may have, and where its value goes. */
struct field {
    const char *name;
    void (*read)(struct reading *reading, const struct field *field, const cJSON *json,
                 const struct vito_json_place *place);
    size_t offset; /* in struct vito_policy_config */
    int64_t min, max;
    int64_t unit;  /* the value is multiplied by it */
    bool nullable; /* null is VITO_UNLIMITED */
};

#define AT(member) offsetof(struct vito_policy_config, member)

static int64_t *
i64_of(struct reading *reading, const struct field *field)
{
    return (int64_t *)(void *)((char *)reading->config + field->offset);
}

static void
read_money(struct reading *reading, const struct field *field, const cJSON *json,
           const struct vito_json_place *place)
{
    int64_t *nusd = i64_of(reading, field);
    if (field->nullable && cJSON_IsNull(json))
        *nusd = VITO_UNLIMITED;
    else if (!cJSON_IsString(json) || vito_money_parse(json->valuestring, nusd) != RT_OK)
        vito_problems_add(&reading->problems, place,
                          "must be an amount such as \"1.00\", at most 9000000%s",
                          field->nullable ? ", or null" : "");
}

/* JSON numbers reach us as doubles; whole ones are exact far beyond every bound here. */
static bool
read_whole(struct reading *reading, const struct field *field, const cJSON *json,
           const struct vito_json_place *place, int64_t *value_out)
{
    if (cJSON_IsNumber(json) && json->valuedouble >= (double)field->min &&
        json->valuedouble <= (double)field->max &&
        json->valuedouble == (double)(int64_t)json->valuedouble) {
        *value_out = (int64_t)json->valuedouble;
        return true;
    }
    vito_problems_add(&reading->problems, place, "must be a whole number from %lld to %lld%s",
                      (long long)field->min, (long long)field->max,
                      field->nullable ? ", or null" : "");
    return false;
}

static void
read_limit(struct reading *reading, const struct field *field, const cJSON *json,
           const struct vito_json_place *place)
{
    int64_t value;
    if (cJSON_IsNull(json))
        *i64_of(reading, field) = VITO_UNLIMITED;
    else if (read_whole(reading, field, json, place, &value))
        *i64_of(reading, field) = value * field->unit;
}

static void
read_u32(struct reading *reading, const struct field *field, const cJSON *json,
         const struct vito_json_place *place)
{
    int64_t value;
    if (read_whole(reading, field, json, place, &value))
        *(uint32_t *)(void *)((char *)reading->config + field->offset) = (uint32_t)value;
}

static const struct field *
field_named(const struct field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static void
read_object(struct reading *reading, const cJSON *json, const struct vito_json_place *place,
            const struct field *fields, size_t count)
{
    if (!cJSON_IsObject(json)) {
        vito_problems_add(&reading->problems, place, "must be an object");
        return;
    }
    const cJSON *member;
    cJSON_ArrayForEach(member, json)
    {
        const struct vito_json_place inner = {.parent = place, .name = member->string};
        const struct field *field = field_named(fields, count, member->string);
        if (field == NULL)
            vito_problems_add(&reading->problems, &inner, "unknown field");
        else
            field->read(reading, field, member, &inner);
    }
}

static void
read_limits(struct reading *reading, const struct field *field, const cJSON *json,
            const struct vito_json_place *place)
{
    static const struct field fields[] = {
        {"monthly_hard_limit_usd", read_money, AT(limits.month_nusd), 0, 0, 1, false},
        {"session_limit_usd", read_money, AT(limits.session_nusd), 0, 0, 1, true},
        {"video_minutes", read_limit, AT(limits.video_ms), 0, MINUTES_MAX, MINUTE_MS, true},
        {"voice_minutes", read_limit, AT(limits.voice_ms), 0, MINUTES_MAX, MINUTE_MS, true},
        {"session_minutes_max", read_limit, AT(limits.session_ms), 1, MINUTES_MAX, MINUTE_MS, true},
        {"tokens_per_session", read_limit, AT(limits.session_tokens), 1, TOKENS_MAX, 1, true},
    };
    (void)field;
    read_object(reading, json, place, fields, RT_COUNT_OF(fields));
}

static void
read_rate(struct reading *reading, const struct field *field, const cJSON *json,
          const struct vito_json_place *place)
{
    static const struct field fields[] = {
        {"per_second", read_u32, AT(rate.per_second), 1, RATE_MAX, 1, false},
        {"burst", read_u32, AT(rate.burst), 1, RATE_MAX, 1, false},
        {"queue", read_u32, AT(rate.queue), 0, QUEUE_MAX, 1, false},
        {"max_wait_ms", read_u32, AT(rate.max_wait_ms), 0, WAIT_MAX_MS, 1, false},
    };
    (void)field;
    read_object(reading, json, place, fields, RT_COUNT_OF(fields));
    const struct vito_rate *rate = &reading->config->rate;
    if (reading->problems.count == 0 && rate->queue > 0 && rate->max_wait_ms == 0) {
        const struct vito_json_place inner = {.parent = place, .name = "max_wait_ms"};
        vito_problems_add(&reading->problems, &inner, "must be above 0 for requests to queue");
    }
}

static void
read_prices(struct reading *reading, const struct field *field, const cJSON *json,
            const struct vito_json_place *place)
{
    static const struct field fields[] = {
        {"interaction_usd", read_money, AT(prices.interaction_nusd), 0, 0, 1, false},
        {"token_1k_usd", read_money, AT(prices.token_1k_nusd), 0, 0, 1, false},
        {"minute_voice_usd", read_money, AT(prices.minute_nusd[VITO_VOICE]), 0, 0, 1, false},
        {"minute_video_usd", read_money, AT(prices.minute_nusd[VITO_VIDEO]), 0, 0, 1, false},
    };
    (void)field;
    read_object(reading, json, place, fields, RT_COUNT_OF(fields));
}

static void
read_modes(struct reading *reading, const struct field *field, const cJSON *json,
           const struct vito_json_place *place)
{
    (void)field;
    bool *modes = reading->config->modes;
    memset(modes, 0, VITO_MODE_COUNT * sizeof(*modes));
    if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) == 0) {
        vito_problems_add(&reading->problems, place, "must be a list of at least one mode");
        return;
    }
    struct vito_json_place inner = {.parent = place};
    const cJSON *element;
    cJSON_ArrayForEach(element, json)
    {
        enum vito_mode mode = vito_mode_of(cJSON_GetStringValue(element));
        if (mode == VITO_MODE_COUNT)
            vito_problems_add(&reading->problems, &inner,
                              "must be \"text\", \"voice\" or \"video\"");
        else if (modes[mode])
            vito_problems_add(&reading->problems, &inner, "given twice");
        else
            modes[mode] = true;
        inner.index++;
    }
}

static struct rt_buffer *
text_buffer(const char *text)
{
    size_t size_bytes = strlen(text);
    struct rt_buffer *buffer = rt_buffer_copy(text, size_bytes + 1);
    if (buffer != NULL)
        buffer->size_bytes = (uint32_t)size_bytes;
    return buffer;
}

static void
read_timezone(struct reading *reading, const struct field *field, const cJSON *json,
              const struct vito_json_place *place)
{
    (void)field;
    const char *name = cJSON_GetStringValue(json);
    if (name == NULL || strlen(name) >= VITO_ZONE_NAME_BYTES)
        vito_problems_add(&reading->problems, place, "must be the name of a time zone");
    else
        memcpy(reading->config->zone_name, name, strlen(name) + 1);
}

static void
load_zone(struct reading *reading)
{
    static const struct vito_json_place place = {.name = "timezone"};
    if (vito_zone_load(reading->config->zone_name, &reading->config->zone) != RT_OK)
        vito_problems_add(&reading->problems, &place,
                          "the time-zone database (package tzdata) has no such zone");
}

/* Kept as compact text with a NUL behind it, which is not counted. */
static void
read_settings(struct reading *reading, const struct field *field, const cJSON *json,
              const struct vito_json_place *place)
{
    (void)field;
    if (!cJSON_IsObject(json)) {
        vito_problems_add(&reading->problems, place, "must be an object");
        return;
    }
    char *text = cJSON_PrintUnformatted(json);
    if (text != NULL)
        reading->config->settings = text_buffer(text);
    reading->no_memory |= reading->config->settings == NULL;
    cJSON_free(text);
}

static bool
is_named_before(const cJSON *object, const cJSON *member)
{
    for (const cJSON *other = object->child; other != member; other = other->next)
        if (strcmp(other->string, member->string) == 0)
            return true;
    return false;
}

/* Names given twice, which other readers would understand in two ways. */
static void
check_names(struct reading *reading, const cJSON *json, const struct vito_json_place *place)
{
    struct vito_json_place inner = {.parent = place};
    bool is_object = cJSON_IsObject(json);
    if (is_object && cJSON_GetArraySize(json) > MEMBERS_MAX) {
        vito_problems_add(&reading->problems, place, "more than %d members", MEMBERS_MAX);
        return;
    }
    const cJSON *child;
    cJSON_ArrayForEach(child, json)
    {
        inner.name = is_object ? child->string : NULL;
        if (is_object && is_named_before(json, child))
            vito_problems_add(&reading->problems, &inner, "given twice");
        check_names(reading, child, &inner);
        inner.index++;
    }
}

static void
read_document(struct reading *reading, const char *json, size_t json_bytes)
{
    static const struct field fields[] = {
        {.name = "limits", .read = read_limits},     {.name = "rate", .read = read_rate},
        {.name = "modes", .read = read_modes},       {.name = "prices", .read = read_prices},
        {.name = "timezone", .read = read_timezone}, {.name = "settings", .read = read_settings},
    };
    cJSON *document;
    const char *problem;
    if (vito_json_parse(json, json_bytes, &document, &problem) != RT_OK) {
        vito_problems_add(&reading->problems, NULL, "%s", problem);
        return;
    }
    check_names(reading, document, NULL);
    if (reading->problems.count == 0)
        read_object(reading, document, NULL, fields, RT_COUNT_OF(fields));
    cJSON_Delete(document);
}

static const struct vito_policy_config defaults = {
    .limits = {.month_nusd = VITO_NUSD_PER_USD,
               .session_nusd = VITO_UNLIMITED,
               .video_ms = VITO_UNLIMITED,
               .voice_ms = VITO_UNLIMITED,
               .session_ms = VITO_UNLIMITED,
               .session_tokens = VITO_UNLIMITED},
    .rate = {.per_second = 50, .burst = 50, .queue = 0, .max_wait_ms = 0},
    .modes = {true, true, true},
    .prices = {.interaction_nusd = VITO_NUSD_PER_USD / 100},
    .zone_name = "UTC",
};

enum rt_status
vito_policy_config_parse(const char *json, size_t json_bytes, struct vito_policy_config *config_out,
                         char problem_out[VITO_PROBLEM_BYTES])
{
    struct vito_policy_config config = defaults;
    struct reading reading = {.config = &config};
    vito_problems_init(&reading.problems, problem_out, VITO_PROBLEM_BYTES);
    if (json != NULL)
        read_document(&reading, json, json_bytes);
    load_zone(&reading);
    if (config.settings == NULL)
        config.settings = text_buffer("{}");
    if (reading.problems.count == 0 && config.settings != NULL && !reading.no_memory) {
        *config_out = config;
        return RT_OK;
    }
    vito_policy_config_deinit(&config);
    return reading.problems.count > 0 ? RT_INVALID : RT_NO_MEMORY;
}

void
vito_policy_config_deinit(struct vito_policy_config *config)
{
    rt_buffer_release(config->settings);
    config->settings = NULL;
}
