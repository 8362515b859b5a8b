/*
 * twin-gateway evidence: the audit of a running gateway.
 */
#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/evidence.h"

static const char help[] =
    "usage: twin-gateway evidence [--url URL] [--sim-url URL] [--only EV-0N] [--json]\n\n"
    "Checks the claims EV-01 to EV-04 against a running gateway and its vendor simulator, over\n"
    "real sockets, and prints each claim, what was done, what was seen and the verdict. Makes\n"
    "twins of its own (evidence-…) and removes them. Takes a little over a minute: EV-04 watches\n"
    "a real minute of video.\n\n"
    "  --url URL          the gateway; default TWIN_URL, then http://127.0.0.1:8080\n"
    "  --sim-url URL      its simulator; default TWIN_SIM_URL, then http://127.0.0.1:9090\n"
    "  --only EV-0N       this claim alone\n"
    "  --video-seconds N  how long EV-04 watches; default 60\n"
    "  --json             the report as JSON\n\n"
    "The operator's token is TWIN_ADMIN_TOKEN, or what `serve --dev` wrote.\n"
    "Exit codes: 0 all claims hold, 1 one fails, 2 usage.\n";

struct options {
    const char *url, *sim_url, *only;
    unsigned video_seconds;
    bool json;
};

static void
check_claims(struct evidence *evidence, const struct options *options)
{
    const char *only = options->only;
    if (only == NULL || strcmp(only, "EV-01") == 0)
        evidence_hard_limit(evidence);
    if (only == NULL || strcmp(only, "EV-02") == 0)
        evidence_isolation(evidence);
    if (only == NULL || strcmp(only, "EV-03") == 0)
        evidence_burst(evidence);
    if (only == NULL || strcmp(only, "EV-04") == 0)
        evidence_audit_trail(evidence, options->video_seconds);
}

static int
run(const struct options *options)
{
    struct evidence evidence = {.quiet = options->json, .claims = cJSON_CreateArray()};
    const char *sim_url = options->sim_url != NULL ? options->sim_url : getenv("TWIN_SIM_URL");
    if (!client_open(&evidence.gateway, options->url))
        return COMMAND_FAILED;
    snprintf(evidence.simulator.url, sizeof(evidence.simulator.url), "%s",
             sim_url != NULL ? sim_url : "http://127.0.0.1:9090");
    snprintf(evidence.run, sizeof(evidence.run), "%08x", randombytes_random());
    if (evidence_vendor_calls(&evidence, NULL) < 0) {
        fprintf(stderr,
                "twin-gateway evidence: no vendor simulator at %s; start it, or say "
                "--sim-url\n",
                evidence.simulator.url);
        return COMMAND_FAILED;
    }
    check_claims(&evidence, options);
    if (options->json) {
        cJSON *report = cJSON_CreateObject();
        cJSON_AddStringToObject(report, "gateway", evidence.gateway.url);
        cJSON_AddItemToObject(report, "claims", evidence.claims);
        cJSON_AddStringToObject(report, "verdict", evidence.failed == 0 ? "PASS" : "FAIL");
        char *text = cJSON_Print(report);
        puts(text);
        cJSON_free(text);
        cJSON_Delete(report);
    } else {
        printf("%d claims checked, %u failed\n", cJSON_GetArraySize(evidence.claims),
               evidence.failed);
        cJSON_Delete(evidence.claims);
    }
    return evidence.failed == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

int
command_evidence(int count, char **arguments)
{
    struct options options = {.video_seconds = 60};
    for (int i = 1; i < count;) {
        const char *value;
        if (strcmp(arguments[i], "--help") == 0) {
            fputs(help, stdout);
            return COMMAND_DONE;
        }
        if ((value = command_option("--url", count, arguments, &i)) != NULL) {
            options.url = value;
        } else if ((value = command_option("--sim-url", count, arguments, &i)) != NULL) {
            options.sim_url = value;
        } else if ((value = command_option("--only", count, arguments, &i)) != NULL) {
            options.only = value;
        } else if ((value = command_option("--video-seconds", count, arguments, &i)) != NULL) {
            options.video_seconds = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(arguments[i], "--json") == 0) {
            options.json = true;
            i++;
        } else {
            return command_misused("evidence", "cannot use", arguments[i]);
        }
    }
    if (options.video_seconds == 0)
        return command_misused("evidence", "--video-seconds must be a number above 0", NULL);
    if (options.only != NULL &&
        (strncmp(options.only, "EV-0", 4) != 0 || options.only[4] < '1' || options.only[4] > '4'))
        return command_misused("evidence", "no such claim:", options.only);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int code = run(&options);
    curl_global_cleanup();
    return code;
}
