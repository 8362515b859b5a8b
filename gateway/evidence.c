#include "gateway/evidence.h"
#include "runtime/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add_line(struct evidence *evidence, const char *list, const char *mark, const char *format,
         va_list arguments)
{
    char line[1024];
    vsnprintf(line, sizeof(line), format, arguments);
    cJSON *lines = cJSON_GetObjectItemCaseSensitive(evidence->claim, list);
    if (lines == NULL)
        lines = cJSON_AddArrayToObject(evidence->claim, list);
    cJSON_AddItemToArray(lines, cJSON_CreateString(line));
    if (!evidence->quiet) {
        printf("  %-5s %s\n", mark, line);
        fflush(stdout);
    }
}

void
evidence_begin(struct evidence *evidence, const char *id, const char *claim)
{
    evidence->claim = cJSON_CreateObject();
    evidence->claim_holds = true;
    cJSON_AddItemToArray(evidence->claims, evidence->claim);
    cJSON_AddStringToObject(evidence->claim, "id", id);
    cJSON_AddStringToObject(evidence->claim, "claim", claim);
    if (!evidence->quiet)
        printf("%s  %s\n", id, claim);
}

void
evidence_end(struct evidence *evidence)
{
    const char *verdict = evidence->claim_holds ? "PASS" : "FAIL";
    cJSON_AddStringToObject(evidence->claim, "verdict", verdict);
    evidence->failed += !evidence->claim_holds;
    if (!evidence->quiet)
        printf("  %s\n\n", verdict);
}

void
evidence_did(struct evidence *evidence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(evidence, "done", "did", format, arguments);
    va_end(arguments);
}

void
evidence_saw(struct evidence *evidence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(evidence, "seen", "saw", format, arguments);
    va_end(arguments);
}

bool
evidence_check(struct evidence *evidence, bool holds, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(evidence, holds ? "holds" : "fails", holds ? "ok" : "FAIL", format, arguments);
    va_end(arguments);
    evidence->claim_holds = evidence->claim_holds && holds;
    return holds;
}

static bool
make_key(struct evidence *evidence, struct evidence_twin *twin)
{
    char path[128];
    snprintf(path, sizeof(path), "/api/tenants/%s/keys", twin->id);
    struct client_answer answer = client_call(&evidence->gateway, "POST", path, NULL);
    cJSON *json = client_answer_json(&answer);
    const cJSON *key = cJSON_GetObjectItemCaseSensitive(json, "key");
    bool made = cJSON_IsString(key) && strlen(key->valuestring) < sizeof(twin->key);
    if (made)
        RT_TEXT_SET(twin->key, key->valuestring);
    cJSON_Delete(json);
    client_answer_free(&answer);
    return made;
}

bool
evidence_make_twin(struct evidence *evidence, const char *name, const char *policy_config,
                   struct evidence_twin *twin_out)
{
    char path[128], body[1024];
    snprintf(twin_out->id, sizeof(twin_out->id), "evidence-%s-%s", evidence->run, name);
    snprintf(path, sizeof(path), "/api/tenants/%s", twin_out->id);
    snprintf(body, sizeof(body),
             "{\"display_name\":\"Evidence\",\"policy\":\"default\",\"policy_config\":%s}",
             policy_config);
    struct client_answer answer = client_call(&evidence->gateway, "PUT", path, body);
    bool made = answer.status == 201 && make_key(evidence, twin_out);
    if (made)
        evidence_did(evidence, "made twin %s with %s", twin_out->id, policy_config);
    else
        evidence_check(evidence, false, "could not make twin %s: status %ld %s %.200s",
                       twin_out->id, answer.status, answer.problem, answer.body);
    client_answer_free(&answer);
    return made;
}

void
evidence_remove_twin(struct evidence *evidence, const struct evidence_twin *twin)
{
    char path[128];
    if (twin->id[0] == '\0')
        return;
    snprintf(path, sizeof(path), "/api/tenants/%s", twin->id);
    struct client_answer answer = client_call(&evidence->gateway, "DELETE", path, NULL);
    client_answer_free(&answer);
}

struct client_answer
evidence_turn(const struct evidence *evidence, const char *tenant_id, const char *key)
{
    struct client caller = evidence->gateway;
    char path[128];
    snprintf(caller.token, sizeof(caller.token), "%s", key);
    snprintf(path, sizeof(path), "/v1/twins/%s/turns", tenant_id);
    return client_call(&caller, "POST", path, "{\"text\":\"[tokens:3] hello\",\"mode\":\"text\"}");
}

int
evidence_vendor_calls(const struct evidence *evidence, const char *vendor)
{
    struct client_answer answer = client_call(&evidence->simulator, "GET", "/_calls", NULL);
    cJSON *json = client_answer_json(&answer);
    const cJSON *calls = cJSON_GetObjectItemCaseSensitive(json, "total");
    if (vendor != NULL) {
        const cJSON *by_vendor = cJSON_GetObjectItemCaseSensitive(json, "by_vendor");
        calls = cJSON_GetObjectItemCaseSensitive(by_vendor, vendor);
    }
    int count = json == NULL ? -1 : calls == NULL ? 0 : calls->valueint;
    cJSON_Delete(json);
    client_answer_free(&answer);
    return count;
}

cJSON *
evidence_audit(const struct evidence *evidence, const char *tenant_id)
{
    char path[160];
    snprintf(path, sizeof(path), "/api/tenants/%s/audit?limit=1000", tenant_id);
    struct client_answer answer = client_call(&evidence->gateway, "GET", path, NULL);
    cJSON *json = client_answer_json(&answer);
    cJSON *entries = cJSON_DetachItemFromObjectCaseSensitive(json, "entries");
    cJSON_Delete(json);
    client_answer_free(&answer);
    return entries;
}
