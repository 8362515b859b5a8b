/*
 * gateway/client.h - calls to a running gateway (or its simulator), for commands. Blocking.
 */
#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

enum { CLIENT_TEXT_BYTES = 512 };

struct client {
    char url[CLIENT_TEXT_BYTES];   /* "http://127.0.0.1:8080" */
    char token[CLIENT_TEXT_BYTES]; /* bearer; "" for none */
};

struct client_answer {
    long status; /* 0: no answer; then `problem` says why */
    char *body;  /* NUL-terminated, never NULL; by client_answer_free() */
    size_t body_bytes;
    long retry_after_s; /* 0: none */
    char problem[CLIENT_TEXT_BYTES];
};

/*
 * Finds the gateway and its operator's token: `url` or TWIN_URL or the default; TWIN_ADMIN_TOKEN,
 * or the file that --dev makes.
 *
 *   returns    false when there is no token; one line is on stderr
 */
bool client_open(struct client *client, const char *url);

/* Calls method and path. `body` is JSON or NULL. */
struct client_answer client_call(const struct client *client, const char *method, const char *path,
                                 const char *body);
void client_answer_free(struct client_answer *answer);

/* The answer's body as JSON, or NULL. The caller's. */
cJSON *client_answer_json(const struct client_answer *answer);

/* Prints an answer: the body when the status is below 400, else one line to stderr. Returns the
 * exit code. */
int client_show(const struct client_answer *answer);

/* A call that is carried out beside others. */
struct client_request {
    const struct client *client;
    const char *method, *path, *body;
    struct client_answer answer; /* filled in */
};

/* Carries out all requests at the same time. */
void client_call_all(struct client_request *requests, size_t count);

#endif
