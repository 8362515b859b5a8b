/*
 * twin-gateway tenant, key, secret and session: the operators' API (schema/openapi.yaml) from a
 * shell.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/client.h"
#include "gateway/command.h"
#include "runtime/compiler.h"

enum { PATH_BYTES = 512, BODY_BYTES_MAX = 64 * 1024 };

/* One verb of a command: how it is called, and what it calls. */
struct verb {
    const char *name;
    int argument_count;
    const char *method;
    const char *path; /* each %s is the next argument */
    enum {
        NO_BODY,
        JSON_BODY,
        SECRET_BODY
    } body; /* from stdin; SECRET_BODY: a value. Its
               providers may be one argument more */
    const char *usage;
};

/* The body from stdin, NUL-terminated; NULL when there is none or too much. */
static char *
read_body(void)
{
    char *body = malloc(BODY_BYTES_MAX + 1);
    size_t size = body == NULL ? 0 : fread(body, 1, BODY_BYTES_MAX + 1, stdin);
    if (size == 0 || size > BODY_BYTES_MAX) {
        fprintf(stderr, "twin-gateway: expected JSON on stdin, at most %d bytes\n", BODY_BYTES_MAX);
        free(body);
        return NULL;
    }
    body[size] = '\0';
    return body;
}

/* The providers of a list, "openai,tavus". */
static cJSON *
providers_of(const char *list)
{
    cJSON *providers = cJSON_CreateArray();
    char provider[128];
    for (const char *at = list; *at != '\0'; at += *at == ',') {
        size_t size = strcspn(at, ",");
        snprintf(provider, sizeof(provider), "%.*s", (int)size, at);
        cJSON_AddItemToArray(providers, cJSON_CreateString(provider));
        at += size;
    }
    return providers;
}

/* {"value":…} of what is on stdin, without the newline at its end; NULL when that is no text. */
static char *
read_secret(const char *providers)
{
    char *value = calloc(1, BODY_BYTES_MAX + 1);
    size_t size = value == NULL ? 0 : fread(value, 1, BODY_BYTES_MAX, stdin);
    if (size == 0 || strlen(value) != size) {
        fputs("twin-gateway: expected the secret on stdin, a text\n", stderr);
        free(value);
        return NULL;
    }
    if (value[size - 1] == '\n')
        value[size - 1] = '\0';
    cJSON *body = cJSON_CreateObject();
    cJSON *text = cJSON_AddStringToObject(body, "value", value);
    if (providers != NULL)
        cJSON_AddItemToObject(body, "providers", providers_of(providers));
    char *json = cJSON_PrintUnformatted(body);
    explicit_bzero(value, size);
    if (text != NULL)
        explicit_bzero(text->valuestring, strlen(text->valuestring));
    cJSON_Delete(body);
    free(value);
    return json;
}

/* Fills the %s of a path, each escaped. False when it gets too long. */
static bool
fill_path(const char *pattern, char **arguments, char path_out[PATH_BYTES])
{
    size_t used = 0;
    for (; *pattern != '\0'; pattern++) {
        if (*pattern != '%') {
            if (used + 1 >= PATH_BYTES)
                return false;
            path_out[used++] = *pattern;
            continue;
        }
        pattern++; /* the 's' */
        char *escaped = curl_easy_escape(NULL, *arguments++, 0);
        size_t size = escaped == NULL ? PATH_BYTES : strlen(escaped);
        bool fits = used + size < PATH_BYTES;
        if (fits)
            memcpy(path_out + used, escaped, size);
        curl_free(escaped);
        if (!fits)
            return false;
        used += size;
    }
    path_out[used] = '\0';
    return true;
}

static int
run_verb(const struct verb *verb, char **arguments, const char *url)
{
    struct client client;
    char path[PATH_BYTES];
    char *body = NULL;
    if (!client_open(&client, url) || !fill_path(verb->path, arguments, path) ||
        (verb->body == JSON_BODY && (body = read_body()) == NULL) ||
        (verb->body == SECRET_BODY &&
         (body = read_secret(verb->argument_count > 2 ? arguments[2] : NULL)) == NULL))
        return COMMAND_FAILED;
    struct client_answer answer = client_call(&client, verb->method, path, body);
    int code = client_show(&answer);
    client_answer_free(&answer);
    if (body != NULL)
        explicit_bzero(body, strlen(body));
    free(body);
    return code;
}

static void
print_help(const char *command, const struct verb *verbs, size_t count, FILE *out)
{
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s twin-gateway %s %s\n", i == 0 ? "usage:" : "      ", command,
                verbs[i].usage);
    fputs("\n  --url URL   the gateway; default TWIN_URL, then http://127.0.0.1:8080\n"
          "The operator's token is TWIN_ADMIN_TOKEN, or what `serve --dev` wrote.\n",
          out);
}

static int
run(int count, char **arguments, const struct verb *verbs, size_t verb_count)
{
    const char *command = arguments[0];
    const char *url = NULL;
    char *plain[4];
    int plain_count = 0;
    for (int i = 1; i < count;) {
        const char *value;
        if (strcmp(arguments[i], "--help") == 0) {
            print_help(command, verbs, verb_count, stdout);
            return COMMAND_DONE;
        }
        if ((value = command_option("--url", count, arguments, &i)) != NULL)
            url = value;
        else if (arguments[i][0] == '-' || plain_count == (int)RT_COUNT_OF(plain))
            return command_misused(command, "cannot use", arguments[i]);
        else
            plain[plain_count++] = arguments[i++];
    }
    for (size_t i = 0; plain_count > 0 && i < verb_count; i++)
        if (strcmp(plain[0], verbs[i].name) == 0 && plain_count == verbs[i].argument_count + 1)
            return run_verb(&verbs[i], plain + 1, url);
    return command_misused(command, plain_count == 0 ? "say what to do" : "no such form of",
                           plain_count == 0 ? NULL : plain[0]);
}

int
command_tenant(int count, char **arguments)
{
    static const struct verb verbs[] = {
        {"list", 0, "GET", "/api/tenants", NO_BODY, "list"},
        {"show", 1, "GET", "/api/tenants/%s", NO_BODY, "show TENANT"},
        {"put", 1, "PUT", "/api/tenants/%s", JSON_BODY, "put TENANT < document.json"},
        {"remove", 1, "DELETE", "/api/tenants/%s", NO_BODY, "remove TENANT"},
        {"balance", 1, "GET", "/api/tenants/%s/balance", NO_BODY, "balance TENANT"},
        {"audit", 1, "GET", "/api/tenants/%s/audit?limit=1000", NO_BODY, "audit TENANT"},
        {"refund", 1, "POST", "/api/tenants/%s/refunds", JSON_BODY, "refund TENANT < refund.json"},
    };
    return run(count, arguments, verbs, RT_COUNT_OF(verbs));
}

int
command_key(int count, char **arguments)
{
    static const struct verb verbs[] = {
        {"add", 1, "POST", "/api/tenants/%s/keys", NO_BODY, "add TENANT     (shown once)"},
        {"list", 1, "GET", "/api/tenants/%s/keys", NO_BODY, "list TENANT"},
        {"rotate", 2, "POST", "/api/tenants/%s/keys/%s/rotate", NO_BODY,
         "rotate TENANT KEY_ID   (a new one, shown once; the old one ends in a day)"},
        {"remove", 2, "DELETE", "/api/tenants/%s/keys/%s", NO_BODY, "remove TENANT KEY_ID"},
    };
    return run(count, arguments, verbs, RT_COUNT_OF(verbs));
}

int
command_secret(int count, char **arguments)
{
    static const char path[] = "/api/tenants/%s/secrets/%s";
    static const struct verb verbs[] = {
        {"put", 2, "PUT", path, SECRET_BODY, "put TENANT NAME < value"},
        {"put", 3, "PUT", path, SECRET_BODY, "put TENANT NAME PROVIDER,… < value"},
        {"list", 1, "GET", "/api/tenants/%s/secrets", NO_BODY, "list TENANT"},
        {"remove", 2, "DELETE", path, NO_BODY, "remove TENANT NAME"},
        {"rotate", 1, "POST", "/api/tenants/%s/secrets/rotate", NO_BODY,
         "rotate TENANT      (a new key for it)"},
        {"rotate-master", 0, "POST", "/api/vault/rotate", NO_BODY,
         "rotate-master      (a new master key, in its file)"},
    };
    return run(count, arguments, verbs, RT_COUNT_OF(verbs));
}

int
command_session(int count, char **arguments)
{
    static const struct verb verbs[] = {
        {"list", 1, "GET", "/api/tenants/%s/sessions", NO_BODY, "list TENANT"},
        {"end", 1, "POST", "/api/sessions/%s/terminate", NO_BODY, "end SESSION_ID"},
        {"explain", 1, "GET", "/api/decisions/%s", NO_BODY, "explain DECISION_ID"},
    };
    return run(count, arguments, verbs, RT_COUNT_OF(verbs));
}
