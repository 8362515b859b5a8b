/*
 * Secrets from the environment: TWIN_SECRET_<TENANT>_<NAME>. The vault has precedence where there
 * is one.
 */
#include "vito/secrets.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/table.h"
#include "vito/id.h"

#define VARIABLE_PREFIX "TWIN_SECRET_"

enum {
    PREFIX_CHARS = sizeof(VARIABLE_PREFIX) - 1,
    /* prefix, tenant, '_', name, NUL */
    VARIABLE_BYTES = PREFIX_CHARS + VITO_TENANT_ID_BYTES + VITO_SECRET_NAME_BYTES,
};

struct entry {
    struct rt_table_link link; /* by variable */
    const char *variable;
    const char *value;
    size_t value_bytes;
};

struct environment {
    struct vito_secrets port; /* first: destroyed through it */
    bool dev;
    bool (*is_tenant)(void *context, const char *tenant_id);
    void *tenants;
    struct rt_table table;
    struct entry *entries;
    char *text; /* locked memory that variables and values lie in, each with a NUL */
};

void
vito_secret_wipe(struct vito_secret *secret)
{
    sodium_memzero(secret, sizeof(*secret));
}

static char
variable_character(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return c;
    return '_';
}

static size_t
push_upper(char *out, const char *text)
{
    size_t chars = 0;
    for (; text[chars] != '\0'; chars++)
        out[chars] = variable_character(text[chars]);
    return chars;
}

/* "andres-cantor" and "openai.api_key" make TWIN_SECRET_ANDRES_CANTOR_OPENAI_API_KEY. */
static bool
variable_of(const char *tenant_id, const char *name, char variable_out[VARIABLE_BYTES])
{
    if (strnlen(tenant_id, VITO_TENANT_ID_BYTES) == VITO_TENANT_ID_BYTES ||
        strnlen(name, VITO_SECRET_NAME_BYTES) == VITO_SECRET_NAME_BYTES)
        return false;
    size_t chars = PREFIX_CHARS;
    memcpy(variable_out, VARIABLE_PREFIX, PREFIX_CHARS);
    chars += push_upper(variable_out + chars, tenant_id);
    variable_out[chars++] = '_';
    chars += push_upper(variable_out + chars, name);
    variable_out[chars] = '\0';
    return true;
}

static const struct entry *
find(const struct environment *environment, const char *variable)
{
    uint64_t hash = rt_hash_text(variable);
    struct rt_table_link *link = rt_table_find(&environment->table, hash, NULL);
    for (; link != NULL; link = rt_table_find(&environment->table, hash, link)) {
        const struct entry *entry = RT_CONTAINER_OF(link, struct entry, link);
        if (strcmp(entry->variable, variable) == 0)
            return entry;
    }
    return NULL;
}

static void
fill(struct vito_secret *secret_out, const char *value, size_t value_bytes)
{
    memcpy(secret_out->value, value, value_bytes);
    secret_out->value[value_bytes] = '\0';
    secret_out->size_bytes = value_bytes;
}

/* What a character of a variable stands for in a tenant's id. */
static char
tenant_character(char c)
{
    if (c == '_')
        return '-';
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool
is_another_tenant(const struct environment *environment, const char *id, const char *tenant_id)
{
    return strcmp(id, tenant_id) != 0 && vito_tenant_id_is_valid(id) &&
           environment->is_tenant(environment->tenants, id);
}

/* Whether the variable may be meant for another tenant: each '_' in it may be where a tenant's id
 * ends. */
static bool
is_ambiguous(const struct environment *environment, const char *variable, const char *tenant_id)
{
    char other[VITO_TENANT_ID_BYTES] = "";
    const char *at = variable + PREFIX_CHARS;
    for (size_t chars = 0; chars < sizeof(other) - 1 && at[chars] != '\0'; chars++) {
        if (at[chars] == '_' && is_another_tenant(environment, other, tenant_id))
            return true;
        other[chars] = tenant_character(at[chars]);
    }
    return false;
}

static enum rt_status
check(const struct environment *environment, const char *variable,
      const struct vito_secret_use *use)
{
    char provider[VITO_SECRET_NAME_BYTES];
    const char *reason = NULL;
    if (!vito_secret_provider_of(use->name, provider, sizeof(provider)) ||
        strcmp(provider, use->provider) != 0)
        reason = "other_provider";
    else if (environment->is_tenant != NULL && is_ambiguous(environment, variable, use->tenant_id))
        reason = "ambiguous_variable";
    if (reason == NULL)
        return RT_OK;
    rt_log(RT_LOG_WARN, "secret.refused", RT_STR("tenant", use->tenant_id),
           RT_STR("secret", use->name), RT_STR("provider", use->provider),
           RT_STR("variable", variable), RT_STR("reason", reason));
    return RT_DENIED;
}

static enum rt_status
get(void *self, const struct vito_secret_use *use, struct vito_secret *secret_out)
{
    static const char simulated[] = "sim-key";
    const struct environment *environment = self;
    char variable[VARIABLE_BYTES];
    const struct entry *entry = NULL;
    if (variable_of(use->tenant_id, use->name, variable))
        entry = find(environment, variable);
    enum rt_status status = entry == NULL ? RT_OK : check(environment, variable, use);
    if (status != RT_OK)
        return status;
    if (entry != NULL)
        fill(secret_out, entry->value, entry->value_bytes);
    else if (environment->dev && use->loopback)
        fill(secret_out, simulated, sizeof(simulated) - 1);
    else
        return RT_NOT_FOUND;
    return RT_OK;
}

static bool
is_ours(const char *assignment)
{
    return strncmp(assignment, VARIABLE_PREFIX, PREFIX_CHARS) == 0 &&
           strchr(assignment, '=') != NULL;
}

/* Takes one assignment in, whose copy is already in locked memory. As with getenv(), the first
 * of two counts. False when out of memory. */
static bool
keep(struct environment *environment, struct entry *entry, char *assignment)
{
    char *equals = strchr(assignment, '=');
    *equals = '\0';
    *entry = (struct entry){
        .variable = assignment, .value = equals + 1, .value_bytes = strlen(equals + 1)};
    if (entry->value_bytes > VITO_SECRET_BYTES_MAX) {
        rt_log(RT_LOG_WARN, "secret.refused", RT_STR("variable", entry->variable),
               RT_STR("reason", "too_long"), RT_U64("bytes_max", VITO_SECRET_BYTES_MAX));
        return true;
    }
    if (entry->value_bytes == 0 || find(environment, entry->variable) != NULL)
        return true;
    return rt_table_add(&environment->table, &entry->link, rt_hash_text(entry->variable));
}

static bool
read_all(struct environment *environment, char **assignments)
{
    size_t count = 0, text_bytes = 0;
    for (char **at = assignments; *at != NULL; at++)
        if (is_ours(*at)) {
            count++;
            text_bytes += strlen(*at) + 1;
        }
    if (count == 0)
        return true;
    environment->entries = calloc(count, sizeof(struct entry));
    environment->text = sodium_malloc(text_bytes);
    if (environment->entries == NULL || environment->text == NULL)
        return false;
    struct entry *entry = environment->entries;
    char *text = environment->text;
    for (char **at = assignments; *at != NULL; at++) {
        if (!is_ours(*at))
            continue;
        size_t bytes = strlen(*at) + 1;
        memcpy(text, *at, bytes);
        if (!keep(environment, entry++, text))
            return false;
        text += bytes;
    }
    sodium_mprotect_readonly(environment->text);
    return true;
}

/* Overwrites the assignments, which are what /proc shows of the process, and takes them out of
 * the list, which is what child processes get. */
static void
wipe(char **assignments)
{
    char **kept = assignments;
    for (char **at = assignments; *at != NULL; at++) {
        if (is_ours(*at))
            sodium_memzero(*at, strlen(*at));
        else
            *kept++ = *at;
    }
    *kept = NULL;
}

struct vito_secrets *
vito_secrets_from_environment(char **environment, bool dev)
{
    if (sodium_init() < 0)
        return NULL;
    struct environment *secrets = calloc(1, sizeof(*secrets));
    if (secrets == NULL)
        return NULL;
    secrets->port = (struct vito_secrets){.self = secrets, .get = get};
    secrets->dev = dev;
    bool complete = read_all(secrets, environment);
    wipe(environment);
    if (!complete) {
        vito_secrets_destroy(&secrets->port);
        return NULL;
    }
    return &secrets->port;
}

void
vito_secrets_set_tenants(struct vito_secrets *secrets,
                         bool (*is_tenant)(void *context, const char *tenant_id), void *context)
{
    struct environment *environment = secrets->self;
    environment->is_tenant = is_tenant;
    environment->tenants = context;
}

void
vito_secrets_destroy(struct vito_secrets *secrets)
{
    if (secrets == NULL)
        return;
    struct environment *environment = secrets->self;
    rt_table_deinit(&environment->table);
    sodium_free(environment->text);
    free(environment->entries);
    free(environment);
}
