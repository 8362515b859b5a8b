#include "actors/tenant_config.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vito/money.h"

enum { TEXT_BYTES_MAX = 16 * 1024 };

/* Collects problems, each with its JSON pointer. */
struct reader {
    char *problem;
    size_t used;
    bool out_of_memory;
};

RT_PRINTF(2, 3)
static void
complain(struct reader *reader, const char *format, ...)
{
    if (reader->used > 0 && reader->used + 2 < VITO_PROBLEM_BYTES) {
        memcpy(reader->problem + reader->used, "; ", 3);
        reader->used += 2;
    }
    size_t room = VITO_PROBLEM_BYTES - reader->used;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(reader->problem + reader->used, room, format, arguments);
    va_end(arguments);
    if (wanted > 0)
        reader->used += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static bool
is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static void
check_members(struct reader *reader, const cJSON *object, const char *pointer,
              const char *const *known)
{
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        if (!is_one_of(item->string, known))
            complain(reader, "%s/%s: unknown field", pointer, item->string);
}

/* A text member, or `otherwise` when it is left out. */
static const char *
read_text(struct reader *reader, const cJSON *object, const char *pointer, const char *name,
          size_t bytes_max, const char *otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (item == NULL || cJSON_IsNull(item))
        return otherwise;
    if (!cJSON_IsString(item))
        complain(reader, "%s/%s: must be a text", pointer, name);
    else if (strlen(item->valuestring) >= bytes_max)
        complain(reader, "%s/%s: longer than %zu bytes", pointer, name, bytes_max - 1);
    else
        return item->valuestring;
    return otherwise;
}

/* An object member, or NULL. */
static const cJSON *
read_object(struct reader *reader, const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (item == NULL || cJSON_IsNull(item))
        return NULL;
    if (cJSON_IsObject(item))
        return item;
    complain(reader, "/%s: must be an object", name);
    return NULL;
}

static char *
print_object(struct reader *reader, const cJSON *object)
{
    char *printed = object == NULL ? NULL : cJSON_PrintUnformatted(object);
    char *text = NULL;
    if (object == NULL || printed != NULL)
        text = strdup(object == NULL ? "{}" : printed);
    cJSON_free(printed);
    if (text == NULL)
        reader->out_of_memory = true;
    return text;
}

static char *
copy_text(struct reader *reader, const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL)
        reader->out_of_memory = true;
    return copy;
}

static void
read_price(struct reader *reader, const cJSON *prices, const char *provider, const char *name,
           int64_t *nusd)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(prices, name);
    if (item == NULL)
        return;
    if (!cJSON_IsString(item) || vito_money_parse(item->valuestring, nusd) != RT_OK)
        complain(reader, "/provider_config/%s/prices/%s: must be dollars as a decimal text",
                 provider, name);
}

/* The tenant's own agreement with a vendor counts most, then the vendor's list, then the
 * tenant's weights. */
static void
read_prices(struct reader *reader, const struct tenant_config *config, enum vito_mode mode,
            const cJSON *provider_config, struct tenant_provider *provider)
{
    static const char *const known[] = {"token_1k_usd", "minute_usd", NULL};
    const struct vito_prices *weights = &config->rules.prices;
    const struct adapter_sheet *sheet = provider->sheet;
    provider->prices = (struct vito_price_list){
        .interaction_nusd = weights->interaction_nusd,
        .token_1k_nusd =
            sheet->price_token_1k_nusd >= 0 ? sheet->price_token_1k_nusd : weights->token_1k_nusd,
        .minute_nusd =
            sheet->price_minute_nusd >= 0 ? sheet->price_minute_nusd : weights->minute_nusd[mode],
    };
    if (mode != VITO_TEXT)
        provider->prices.token_1k_nusd = 0; /* spoken and seen minutes carry their tokens */
    const cJSON *prices = cJSON_GetObjectItemCaseSensitive(provider_config, "prices");
    if (prices == NULL)
        return;
    if (!cJSON_IsObject(prices)) {
        complain(reader, "/provider_config/%s/prices: must be an object", provider->name);
        return;
    }
    char pointer[96];
    snprintf(pointer, sizeof(pointer), "/provider_config/%s/prices", provider->name);
    check_members(reader, prices, pointer, known);
    read_price(reader, prices, provider->name, "token_1k_usd", &provider->prices.token_1k_nusd);
    read_price(reader, prices, provider->name, "minute_usd", &provider->prices.minute_nusd);
}

static void
add_provider(struct reader *reader, struct tenant_config *config, enum vito_mode mode,
             const char *name, const cJSON *provider_configs, const struct adapter_port *adapters)
{
    const char *mode_name = vito_mode_name(mode);
    if (config->provider_counts[mode] == TENANT_PROVIDERS_MAX) {
        complain(reader, "/providers/%s: more than %d", mode_name, TENANT_PROVIDERS_MAX);
        return;
    }
    const struct adapter_sheet *sheet = adapters->sheet(adapters->self, name);
    if (sheet == NULL || !sheet->modes[mode]) {
        complain(reader, "/providers/%s: no provider of %s is called \"%.32s\"", mode_name,
                 mode_name, name);
        return;
    }
    struct tenant_provider *provider = &config->providers[mode][config->provider_counts[mode]++];
    snprintf(provider->name, sizeof(provider->name), "%s", sheet->name);
    provider->sheet = sheet;
    const cJSON *own = cJSON_GetObjectItemCaseSensitive(provider_configs, sheet->name);
    if (own != NULL && !cJSON_IsObject(own)) {
        complain(reader, "/provider_config/%s: must be an object", sheet->name);
        own = NULL;
    }
    provider->config_json = print_object(reader, own);
    read_prices(reader, config, mode, own, provider);
}

static void
read_providers(struct reader *reader, struct tenant_config *config, const cJSON *document,
               const struct adapter_port *adapters)
{
    static const char *const defaults[VITO_MODE_COUNT] = {"openai", "cartesia", "tavus"};
    static const char *const known[] = {"text", "voice", "video", NULL};
    const cJSON *providers = read_object(reader, document, "providers");
    const cJSON *configs = read_object(reader, document, "provider_config");
    if (providers != NULL)
        check_members(reader, providers, "/providers", known);
    for (enum vito_mode mode = VITO_TEXT; mode < VITO_MODE_COUNT; mode++) {
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(providers, vito_mode_name(mode));
        if (item == NULL) {
            add_provider(reader, config, mode, defaults[mode], configs, adapters);
        } else if (cJSON_IsString(item)) {
            add_provider(reader, config, mode, item->valuestring, configs, adapters);
        } else if (cJSON_IsArray(item) && item->child != NULL) {
            for (const cJSON *name = item->child; name != NULL; name = name->next)
                add_provider(reader, config, mode, cJSON_IsString(name) ? name->valuestring : "",
                             configs, adapters);
        } else {
            complain(reader, "/providers/%s: must be a name or a list of names",
                     vito_mode_name(mode));
        }
    }
}

static void
read_persona(struct reader *reader, struct tenant_config *config, const cJSON *document)
{
    static const char *const known[] = {"instructions", "language", "greeting", NULL};
    const cJSON *persona = read_object(reader, document, "persona");
    if (persona != NULL)
        check_members(reader, persona, "/persona", known);
    config->persona_json = print_object(reader, persona);
    config->instructions = copy_text(
        reader, read_text(reader, persona, "/persona", "instructions", TEXT_BYTES_MAX, ""));
    config->greeting =
        copy_text(reader, read_text(reader, persona, "/persona", "greeting", 1024, ""));
    snprintf(config->language, sizeof(config->language), "%s",
             read_text(reader, persona, "/persona", "language", sizeof(config->language), "en"));
}

static void
read_rules(struct reader *reader, struct tenant_config *config, const cJSON *document)
{
    char problem[VITO_PROBLEM_BYTES] = "";
    const cJSON *rules = read_object(reader, document, "policy_config");
    char *text = print_object(reader, rules);
    if (text == NULL)
        return;
    enum rt_status status = vito_policy_config_parse(text, strlen(text), &config->rules, problem);
    if (status == RT_NO_MEMORY)
        reader->out_of_memory = true;
    /* Its pointers begin at the policy_config: say where that is. */
    for (char *at = problem, *end; status == RT_INVALID && *at != '\0'; at = end) {
        end = strstr(at, "; ");
        size_t size = end == NULL ? strlen(at) : (size_t)(end - at);
        complain(reader, "/policy_config%.*s", (int)size, at);
        end = at + size + (end == NULL ? 0 : 2);
    }
    free(text);
}

static void
read_document(struct reader *reader, struct tenant_config *config, const cJSON *document,
              const struct adapter_port *adapters)
{
    static const char *const known[] = {
        "id",      "display_name", "policy",     "providers", "provider_config", "policy_config",
        "persona", "created_at",   "updated_at", NULL};
    check_members(reader, document, "", known);
    const char *id = read_text(reader, document, "", "id", VITO_TENANT_ID_BYTES, config->id);
    if (strcmp(id, config->id) != 0)
        complain(reader, "/id: is \"%s\" in a document for \"%s\"", id, config->id);
    snprintf(config->display_name, sizeof(config->display_name), "%s",
             read_text(reader, document, "", "display_name", TENANT_NAME_BYTES, config->id));
    snprintf(config->policy, sizeof(config->policy), "%s",
             read_text(reader, document, "", "policy", POLICY_NAME_BYTES, "default"));
    read_rules(reader, config, document);
    read_persona(reader, config, document);
    read_providers(reader, config, document, adapters);
}

enum rt_status
tenant_config_parse(const char *id, const char *json, size_t json_bytes,
                    const struct adapter_port *adapters, struct tenant_config **config_out,
                    char problem_out[VITO_PROBLEM_BYTES])
{
    struct reader reader = {.problem = problem_out};
    problem_out[0] = '\0';
    if (json_bytes > TENANT_DOCUMENT_BYTES_MAX) {
        complain(&reader, ": longer than %d bytes", TENANT_DOCUMENT_BYTES_MAX);
        return RT_INVALID;
    }
    cJSON *document = cJSON_ParseWithLength(json, json_bytes);
    if (!cJSON_IsObject(document)) {
        complain(&reader, ": must be a JSON object");
        cJSON_Delete(document);
        return RT_INVALID;
    }
    struct tenant_config *config = calloc(1, sizeof(*config));
    if (config != NULL) {
        atomic_init(&config->holders, 1);
        snprintf(config->id, sizeof(config->id), "%s", id);
        read_document(&reader, config, document, adapters);
    }
    cJSON_Delete(document);
    if (config == NULL || reader.out_of_memory || reader.used > 0) {
        tenant_config_release(config);
        return reader.used > 0 ? RT_INVALID : RT_NO_MEMORY;
    }
    *config_out = config;
    return RT_OK;
}

struct tenant_config *
tenant_config_acquire(struct tenant_config *config)
{
    atomic_fetch_add_explicit(&config->holders, 1, memory_order_relaxed);
    return config;
}

void
tenant_config_release(struct tenant_config *config)
{
    /* Release pairs with the acquire half of the last one: all reads come before the free. */
    if (config == NULL || atomic_fetch_sub_explicit(&config->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (enum vito_mode mode = VITO_TEXT; mode < VITO_MODE_COUNT; mode++)
        for (unsigned i = 0; i < config->provider_counts[mode]; i++)
            free(config->providers[mode][i].config_json);
    vito_policy_config_deinit(&config->rules);
    free(config->persona_json);
    free(config->instructions);
    free(config->greeting);
    free(config);
}

static bool
add_raw(cJSON *object, const char *name, char *json)
{
    bool added = json != NULL && cJSON_AddRawToObject(object, name, json) != NULL;
    free(json);
    return added;
}

static bool
print_providers(const struct tenant_config *config, cJSON *document)
{
    cJSON *providers = cJSON_AddObjectToObject(document, "providers");
    cJSON *configs = cJSON_AddObjectToObject(document, "provider_config");
    for (enum vito_mode mode = VITO_TEXT; mode < VITO_MODE_COUNT; mode++) {
        cJSON *names = cJSON_AddArrayToObject(providers, vito_mode_name(mode));
        for (unsigned i = 0; i < config->provider_counts[mode]; i++) {
            const struct tenant_provider *provider = &config->providers[mode][i];
            if (!cJSON_AddItemToArray(names, cJSON_CreateString(provider->name)))
                return false;
            if (strcmp(provider->config_json, "{}") != 0 &&
                !cJSON_HasObjectItem(configs, provider->name) &&
                cJSON_AddRawToObject(configs, provider->name, provider->config_json) == NULL)
                return false;
        }
    }
    return true;
}

char *
tenant_config_print(const struct tenant_config *config)
{
    cJSON *document = cJSON_CreateObject();
    bool done = cJSON_AddStringToObject(document, "id", config->id) != NULL &&
                cJSON_AddStringToObject(document, "display_name", config->display_name) != NULL &&
                cJSON_AddStringToObject(document, "policy", config->policy) != NULL &&
                add_raw(document, "policy_config", vito_policy_config_print(&config->rules)) &&
                print_providers(config, document) &&
                add_raw(document, "persona", strdup(config->persona_json));
    char *text = done ? cJSON_PrintUnformatted(document) : NULL;
    cJSON_Delete(document);
    return text;
}
