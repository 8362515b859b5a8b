/*
 * tests/unit/lua/fake_host.h - a vendor actor for adapters under test: it records what they ask
 * for, and plays what a vendor would answer.
 *
 * One adapter VM, and legs that the test owns. Nothing happens by itself: the test answers
 * requests, lets time pass, covers use and makes room.
 */
#ifndef TESTS_UNIT_LUA_FAKE_HOST_H
#define TESTS_UNIT_LUA_FAKE_HOST_H

#include "lua/adapter_vm.h"

enum { FAKE_REQUESTS_MAX = 64, FAKE_TEXT_BYTES = 64 * 1024, FAKE_AUDIO_BYTES = 256 * 1024 };

/* The key that the host puts into requests, in C. No script may ever see it. */
#define FAKE_SECRET "sk-CANARY-8f2b11d07c"

struct fake_request {
    uint64_t exchange;
    char method[16], path[256];
    char headers[1024]; /* "name: value\n" in the order of names, the secret's one included */
    char body[FAKE_TEXT_BYTES];
    uint32_t total_timeout_ms;
    bool is_repeatable;
    bool has_ended, is_stopped, is_cancelled;
    size_t sent_bytes, consumed_bytes;
};

struct fake_leg {
    struct adapter_leg port;
    /* what the test decides */
    int64_t allowed_tokens, allowed_ms; /* INT64_MAX at first */
    bool is_full;                       /* the client takes no output */
    enum rt_status start_status;        /* of its next requests */
    /* what the script did */
    struct fake_request requests[FAKE_REQUESTS_MAX];
    size_t request_count;
    int64_t tokens, media_ms;
    struct adapter_final_use final;
    size_t use_count, final_count;
    char text[FAKE_TEXT_BYTES];
    size_t text_bytes;
    unsigned char audio[FAKE_AUDIO_BYTES];
    size_t audio_bytes;
    bool waits_for_cover, waits_for_room, sleeps;
    int64_t awake_at_ms;
    /* how its last verb ended; `ends` counts them */
    unsigned ends;
    struct adapter_result result;
    char detail[512], vendor_ref[512], join[8192];
    /* what finished() does, when not NULL */
    void (*on_finished)(struct fake_leg *leg);
};

/* Adapters from `directory` as well, when not NULL. */
void fake_host_open(const char *directory);

/* Leaves the VM so many bytes beyond what it holds. */
void fake_host_shrink(size_t left_bytes);
void fake_host_close(void);
struct adapter_vm *fake_host_vm(void);
const struct adapter_sheet *fake_host_sheet(const char *provider);

/* The Unix time that scripts see. */
extern int64_t fake_now_ms;
extern int64_t fake_wall_step_ms; /* by which somebody set the wall clock */

struct fake_leg *fake_leg_create(void);
void fake_leg_destroy(struct fake_leg *leg);

void fake_initialize(struct fake_leg *leg, const char *provider, const char *config,
                     const char *limits);
void fake_drive(struct fake_leg *leg, const char *drive);
void fake_chat(struct fake_leg *leg, const char *drive, const char *messages);
void fake_terminate(struct fake_leg *leg, enum adapter_stop_reason reason);

/* The request that has not been answered yet, the oldest first; fails the test when none is. */
struct fake_request *fake_pending(struct fake_leg *leg);

/* Answers a request bit by bit. */
void fake_head(struct fake_leg *leg, struct fake_request *request, int status,
               int64_t retry_after_s);
void fake_data(struct fake_leg *leg, struct fake_request *request, const char *text);
void fake_bytes(struct fake_leg *leg, struct fake_request *request, const void *bytes,
                size_t size_bytes);
void fake_end(struct fake_leg *leg, struct fake_request *request, enum net_http_result result);

/* Answers the pending request with a whole text, or with a recorded one. */
void fake_answer(struct fake_leg *leg, int status, const char *body);
void fake_answer_file(struct fake_leg *leg, int status, const char *fixture);

/* A recorded text; static, until the next call. */
const char *fake_fixture(const char *name);

/* Ends the pending request without an answer. */
void fake_no_answer(struct fake_leg *leg, enum net_http_result result);

/* Lets time pass; wakes the leg when it is due. */
void fake_pass(struct fake_leg *leg, int64_t ms);

void fake_cover(struct fake_leg *leg, int64_t allowed_tokens, int64_t allowed_ms);
void fake_make_room(struct fake_leg *leg);
void fake_cut(struct fake_leg *leg);

/* What the whole leg was booked as: the final figures where they were given. */
int64_t fake_tokens(const struct fake_leg *leg);
int64_t fake_media_ms(const struct fake_leg *leg);

#endif
