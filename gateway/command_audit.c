/*
 * twin-gateway audit: hands audit trails out, and verifies them, those of a running gateway and
 * those in files.
 */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/client.h"
#include "gateway/command.h"
#include "runtime/compiler.h"
#include "vito/audit_verify.h"

enum { PATH_BYTES = 512, KEY_DIGITS = 2 * VITO_PUBLIC_KEY_BYTES };

struct options {
    const char *url, *file, *key, *anchor;
    const char *verb, *tenant_id;
    bool help;
};

static void
print_help(FILE *out)
{
    fputs("usage: twin-gateway audit export TENANT > FILE\n"
          "       twin-gateway audit verify [TENANT] [--anchor SEQ:CHAIN]\n"
          "       twin-gateway audit verify --file FILE [--key KEY] [--anchor SEQ:CHAIN]\n"
          "       twin-gateway audit key\n"
          "\n"
          "export writes a twin's audit trail as CloudEvents, one a line. verify tells whether\n"
          "it is whole: nothing changed, put in, moved, or taken out, and signed by the gateway;\n"
          "without a name it takes all twins there are. With --file it needs no gateway.\n"
          "\n"
          "  --file FILE         what export wrote; - for stdin\n"
          "  --key KEY           the key that must have signed, as audit key shows it; without,\n"
          "                      of a file, one key must have signed all\n"
          "  --anchor SEQ:CHAIN  what an earlier verify showed: the trail must still have it\n"
          "  --url URL           the gateway; default TWIN_URL, then http://127.0.0.1:8080\n"
          "\n"
          "Exit codes: 0 whole, 1 broken, or it could not be read, 2 usage.\n",
          out);
}

/* The trail is whole: what of, and what to note. */
static int
show_whole(const struct vito_audit_verifier *verifier)
{
    printf("%s: whole: %" PRIu64 " entries, %" PRIu64 " checkpoints", verifier->name,
           verifier->entries, verifier->checkpoints);
    if (verifier->start_seq > 0)
        printf(", from the checkpoint at %" PRId64 " on", verifier->start_seq);
    if (verifier->checkpoints > 0) {
        printf("\n  key    ");
        for (size_t i = 0; i < sizeof(verifier->key); i++)
            printf("%02x", verifier->key[i]);
    }
    if (verifier->seq > 0) {
        printf("\n  anchor %" PRId64 ":", verifier->seq);
        for (size_t i = 0; i < sizeof(verifier->chain.bytes); i++)
            printf("%02x", verifier->chain.bytes[i]);
    }
    putchar('\n');
    return COMMAND_DONE;
}

static int
show_broken(const struct vito_audit_verifier *verifier, const char *where)
{
    const char *name = verifier->name[0] != '\0' ? verifier->name : where;
    fprintf(stderr, "twin-gateway: %s: broken: %s\n", name, verifier->problem);
    return COMMAND_FAILED;
}

static bool
fill_path(const char *tenant_id, int64_t after, char path[PATH_BYTES])
{
    char *escaped = curl_easy_escape(NULL, tenant_id, 0);
    int size = escaped == NULL ? PATH_BYTES
                               : snprintf(path, PATH_BYTES,
                                          "/api/tenants/%s/audit?format=cloudevents&limit=1000"
                                          "&after=%" PRId64,
                                          escaped, after);
    curl_free(escaped);
    return size < PATH_BYTES;
}

/* The sequence of the page's last line, and whether that is the head. False when it is no page. */
static bool
read_end(const char *page, size_t size_bytes, int64_t *sequence_out, bool *is_end_out)
{
    size_t start = size_bytes < 2 ? 0 : size_bytes - 1;
    while (start > 0 && page[start - 1] != '\n')
        start--;
    cJSON *line = cJSON_ParseWithLength(page + start, size_bytes - start);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "sequence"));
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(line, "type"));
    bool found = text != NULL && type != NULL;
    if (found) {
        *sequence_out = strtoll(text, NULL, 10);
        *is_end_out = strcmp(type, "dev.twingateway.audit.head.v1") == 0;
    }
    cJSON_Delete(line);
    return found;
}

/* Takes a page of a trail. False: no more of it. */
typedef bool (*take_page)(void *context, const char *page, size_t size_bytes);

/* Fetches a trail page by page. COMMAND_DONE when it was taken to its end, or not wanted any
 * more. */
static int
fetch(const struct client *client, const char *tenant_id, take_page take, void *context)
{
    char path[PATH_BYTES];
    bool is_end = false;
    for (int64_t after = 0, last = 0; !is_end; after = last) {
        if (!fill_path(tenant_id, after, path)) {
            fputs("twin-gateway audit: the name is too long\n", stderr);
            return COMMAND_FAILED;
        }
        struct client_answer answer = client_call(client, "GET", path, NULL);
        if (answer.status != 200) {
            client_show(&answer);
            client_answer_free(&answer);
            return COMMAND_FAILED;
        }
        bool wanted = take(context, answer.body, answer.body_bytes);
        bool read =
            read_end(answer.body, answer.body_bytes, &last, &is_end) && (is_end || last > after);
        client_answer_free(&answer);
        if (!wanted)
            return COMMAND_DONE;
        if (!read) {
            fprintf(stderr, "twin-gateway audit: %s answered no audit trail\n", client->url);
            return COMMAND_FAILED;
        }
    }
    return COMMAND_DONE;
}

static bool
write_page(void *context, const char *page, size_t size_bytes)
{
    return fwrite(page, 1, size_bytes, context) == size_bytes;
}

static int export(const struct options *options)
{
    struct client client;
    if (!client_open(&client, options->url))
        return COMMAND_FAILED;
    int code = fetch(&client, options->tenant_id, write_page, stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "twin-gateway audit: cannot write: %s\n", strerror(errno));
    return COMMAND_FAILED;
}

static bool
verify_page(void *context, const char *page, size_t size_bytes)
{
    struct vito_audit_verifier *verifier = context;
    for (const char *line = page, *end = page + size_bytes; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((newline == NULL ? end : newline) - line);
        if (vito_audit_verify_line(verifier, line, size) != RT_OK)
            return false;
        line += size + 1;
    }
    return true;
}

static int
verify_live(const struct client *client, const char *tenant_id,
            const struct vito_audit_verifier *expected)
{
    struct vito_audit_verifier verifier = *expected;
    verifier.tenant_id = tenant_id;
    int code = fetch(client, tenant_id, verify_page, &verifier);
    if (code != COMMAND_DONE)
        return code;
    if (verifier.problem[0] != '\0' || vito_audit_verify_end(&verifier) != RT_OK)
        return show_broken(&verifier, tenant_id);
    return show_whole(&verifier);
}

/* The key of the gateway itself: what the database says does not count. */
static bool
fetch_key(const struct client *client, char key_out[KEY_DIGITS + 1])
{
    struct client_answer answer = client_call(client, "GET", "/api/audit/key", NULL);
    cJSON *json = answer.status == 200 ? client_answer_json(&answer) : NULL;
    const char *key = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "public_key"));
    bool found = key != NULL && strlen(key) == KEY_DIGITS;
    if (found)
        memcpy(key_out, key, KEY_DIGITS + 1);
    else if (answer.status != 200)
        client_show(&answer);
    else
        fprintf(stderr, "twin-gateway audit: %s answered no key\n", client->url);
    cJSON_Delete(json);
    client_answer_free(&answer);
    return found;
}

static int
verify_all(const struct client *client, const struct vito_audit_verifier *expected)
{
    struct client_answer answer = client_call(client, "GET", "/api/tenants", NULL);
    cJSON *json = client_answer_json(&answer);
    const cJSON *tenants = cJSON_GetObjectItemCaseSensitive(json, "tenants"), *tenant;
    int code = cJSON_IsArray(tenants) ? COMMAND_DONE : client_show(&answer);
    cJSON_ArrayForEach(tenant, tenants)
    {
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tenant, "id"));
        if (id != NULL && verify_live(client, id, expected) != COMMAND_DONE)
            code = COMMAND_FAILED;
    }
    cJSON_Delete(json);
    client_answer_free(&answer);
    return code;
}

/* Lines that are too long are given as they are cut: no trail has such. */
static int
verify_file(const char *name, struct vito_audit_verifier *verifier)
{
    static char line[VITO_AUDIT_LINE_BYTES_MAX + 2];
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (file == NULL) {
        fprintf(stderr, "twin-gateway audit: %s: %s\n", name, strerror(errno));
        return COMMAND_FAILED;
    }
    enum rt_status status = RT_OK;
    while (status == RT_OK && fgets(line, sizeof(line), file) != NULL) {
        size_t size = strlen(line);
        if (size > 0 && line[size - 1] == '\n')
            size--;
        status = vito_audit_verify_line(verifier, line, size);
    }
    bool failed = ferror(file);
    if (file != stdin)
        fclose(file);
    if (failed) {
        fprintf(stderr, "twin-gateway audit: %s: cannot read it\n", name);
        return COMMAND_FAILED;
    }
    if (status != RT_OK || vito_audit_verify_end(verifier) != RT_OK)
        return show_broken(verifier, name);
    return show_whole(verifier);
}

/* "120:<64 digits>" */
static bool
read_anchor(const char *text, struct vito_audit_anchor *anchor_out)
{
    char *colon;
    errno = 0;
    anchor_out->seq = strtoll(text, &colon, 10);
    return errno == 0 && anchor_out->seq > 0 && *colon == ':' &&
           vito_hex_parse(colon + 1, anchor_out->chain.bytes, sizeof(anchor_out->chain.bytes));
}

static int
verify(const struct options *options)
{
    struct vito_audit_verifier expected = {.tenant_id = options->tenant_id};
    char key[KEY_DIGITS + 1];
    struct client client;
    if (options->anchor != NULL && !read_anchor(options->anchor, &expected.anchor))
        return command_misused("audit", "an anchor is SEQ:CHAIN, not", options->anchor);
    if (options->anchor != NULL && options->tenant_id == NULL && options->file == NULL)
        return command_misused("audit", "an anchor is of one twin: name it", NULL);
    if (options->file == NULL && (!client_open(&client, options->url) || !fetch_key(&client, key)))
        return COMMAND_FAILED;
    const char *wanted = options->key != NULL ? options->key : options->file == NULL ? key : NULL;
    expected.has_key = wanted != NULL;
    if (wanted != NULL && !vito_hex_parse(wanted, expected.key, sizeof(expected.key)))
        return command_misused("audit", "a key has 64 hexadecimal digits, not", wanted);
    if (options->file != NULL)
        return verify_file(options->file, &expected);
    if (options->tenant_id != NULL)
        return verify_live(&client, options->tenant_id, &expected);
    return verify_all(&client, &expected);
}

static int
show_key(const struct options *options)
{
    struct client client;
    char key[KEY_DIGITS + 1];
    if (!client_open(&client, options->url) || !fetch_key(&client, key))
        return COMMAND_FAILED;
    puts(key);
    return COMMAND_DONE;
}

/* False when an argument is none of ours; it was complained about. */
static bool
read_options(int count, char **arguments, struct options *options)
{
    for (int i = 1; i < count;) {
        const char *value;
        if (strcmp(arguments[i], "--help") == 0) {
            options->help = true;
            return true;
        }
        if ((value = command_option("--url", count, arguments, &i)) != NULL)
            options->url = value;
        else if ((value = command_option("--file", count, arguments, &i)) != NULL)
            options->file = value;
        else if ((value = command_option("--key", count, arguments, &i)) != NULL)
            options->key = value;
        else if ((value = command_option("--anchor", count, arguments, &i)) != NULL)
            options->anchor = value;
        else if (arguments[i][0] != '-' && options->verb == NULL)
            options->verb = arguments[i++];
        else if (arguments[i][0] != '-' && options->tenant_id == NULL)
            options->tenant_id = arguments[i++];
        else
            return command_misused("audit", "cannot use", arguments[i]) == COMMAND_DONE;
    }
    return true;
}

int
command_audit(int count, char **arguments)
{
    struct options options = {.url = NULL};
    if (!read_options(count, arguments, &options))
        return COMMAND_USAGE;
    if (options.help) {
        print_help(stdout);
        return COMMAND_DONE;
    }
    if (options.verb == NULL)
        return command_misused("audit", "say what to do", NULL);
    if (strcmp(options.verb, "export") == 0 && options.tenant_id != NULL)
        return export(&options);
    if (strcmp(options.verb, "verify") == 0)
        return verify(&options);
    if (strcmp(options.verb, "key") == 0 && options.tenant_id == NULL)
        return show_key(&options);
    return command_misused("audit", "no such form of", options.verb);
}
