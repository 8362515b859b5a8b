/*
 * actors/adapter.h - the port to vendor adapters, which are Lua scripts over host I/O.
 *
 * A vendor actor (actors/vendor.c) owns one VM and any number of legs. Each verb on a leg runs
 * as a coroutine; where the script does I/O, sleeps, or must wait for money, the VM calls the
 * host (below) and suspends the coroutine, and the vendor actor resumes it with an event when a
 * message arrives. Nothing here blocks.
 *
 *      vendor actor ──begin/resume──► VM ──host calls──► vendor actor
 *
 * The VM is implemented by lua/adapter_vm.c. Threads: the vendor actor's turns only.
 */
#ifndef ACTORS_ADAPTER_H
#define ACTORS_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http_port.h"
#include "runtime/compiler.h"
#include "vito/policy_config.h"

enum { ADAPTER_NAME_BYTES = 32, ADAPTER_URL_BYTES = 512 };

/* What an adapter says of itself, as data at the top of its file. */
struct adapter_sheet {
    char name[ADAPTER_NAME_BYTES];
    bool modes[VITO_MODE_COUNT];
    bool metered_by_clock;       /* costs run from creation to the end, whatever is driven */
    int64_t price_token_1k_nusd; /* the vendor's own price; -1: the tenant's list counts */
    int64_t price_minute_nusd;
    uint32_t quantum_ms;             /* media to hold at a time */
    uint32_t stop_ms;                /* media that may still be generated after we say stop */
    uint32_t quantum_tokens;         /* output tokens of one answer: held whole */
    uint32_t prompt_bytes_per_token; /* for estimates: this many bytes are at least one token */
    uint32_t prompt_tokens_fixed;    /* and this many are added for each message */
    char audio_format[64];           /* "pcm_s16le;rate=24000;channels=1" */
    char default_base_url[ADAPTER_URL_BYTES];
};

/* Why a verb failed: what the caller should do about it. */
enum adapter_error {
    ADAPTER_ERROR_NONE,
    ADAPTER_ERROR_RETRYABLE,    /* the vendor is busy or down; another try may work */
    ADAPTER_ERROR_REJECTED,     /* it will not do this: key, permission, input */
    ADAPTER_ERROR_OUT_OF_MONEY, /* our account at the vendor */
    ADAPTER_ERROR_MALFORMED,    /* it answered, but not sense */
    ADAPTER_ERROR_UNKNOWN,      /* it may have done it: reconcile, do not repeat */
    ADAPTER_ERROR_CUT,          /* stopped by us: money, interrupt, end */
    ADAPTER_ERROR_BUG,          /* the script raised */
    ADAPTER_ERROR_COUNT,
};

/* "retryable", "rejected", "out_of_money", … */
const char *adapter_error_name(enum adapter_error error);

enum adapter_verb { ADAPTER_INITIALIZE, ADAPTER_DRIVE, ADAPTER_TERMINATE };

enum adapter_stop_reason { ADAPTER_COST_LIMIT, ADAPTER_USER_EXIT };

/* What terminate() achieved. */
enum adapter_stopped { ADAPTER_STOPPED, ADAPTER_STOP_REQUESTED, ADAPTER_STOP_IMPOSSIBLE };

/* Use since the last report, as the script counts it. */
struct adapter_use {
    int64_t tokens;
    int64_t media_ms;
};

/* The leg's total by the vendor's own figures, replacing what was counted. -1: not given. */
struct adapter_final_use {
    int64_t tokens;
    int64_t media_ms;
};

/* How a verb ended. Texts are valid during the call. */
struct adapter_result {
    enum adapter_verb verb;
    enum adapter_error error;     /* NONE: it succeeded */
    int status;                   /* the vendor's HTTP status when there was one, else 0 */
    int64_t retry_after_s;        /* -1: none */
    const char *detail;           /* one line for the log, without secrets */
    const char *vendor_ref;       /* INITIALIZE: the vendor's name of the session, or "" */
    const char *join;             /* INITIALIZE: JSON object for session.started.join, or "" */
    enum adapter_stopped stopped; /* TERMINATE */
};

struct adapter_header {
    const char *name, *value;
};

/* A request of a script. `secret_name` is put in by the host: the script never sees it. */
struct adapter_http {
    const char *method;
    const char *path; /* begins with '/'; appended to the provider's base URL */
    const struct adapter_header *headers;
    size_t header_count;
    const char *secret_name;   /* "openai.api_key", or NULL */
    const char *secret_header; /* "authorization" */
    const char *secret_prefix; /* "Bearer " */
    const void *body;
    size_t body_bytes;
    uint32_t idle_timeout_ms, total_timeout_ms;
    bool is_repeatable; /* twice is as once */
};

/* One leg as both sides know it; the vendor actor embeds it in its own. */
struct adapter_leg {
    uint32_t vm_slot; /* the VM's; 0 before begin */
};

/* What the vendor actor does for scripts. */
struct adapter_host {
    void *self;

    /* Starts an exchange; its events come by resume(). `exchange_out` names it. */
    enum rt_status (*http_start)(void *self, struct adapter_leg *leg,
                                 const struct adapter_http *request, uint64_t *exchange_out);
    void (*http_consume)(void *self, struct adapter_leg *leg, uint64_t exchange, uint32_t bytes);
    void (*http_stop)(void *self, struct adapter_leg *leg, uint64_t exchange);
    void (*http_cancel)(void *self, struct adapter_leg *leg, uint64_t exchange);

    /* Resumes the leg with ADAPTER_EVENT_AWAKE after so long. */
    void (*sleep)(void *self, struct adapter_leg *leg, uint32_t ms);

    /* Unix milliseconds: somebody may set them. */
    int64_t (*wall_ms)(void *self);

    /* Milliseconds since some beginning, those included in which the machine slept. */
    int64_t (*boot_ms)(void *self);

    /*
     * Books use. True: covered by the hold, go on. False: suspend; the leg is resumed with
     * ADAPTER_EVENT_COVERED or ADAPTER_EVENT_CUT.
     */
    bool (*use)(void *self, struct adapter_leg *leg, const struct adapter_use *use);

    void (*final_use)(void *self, struct adapter_leg *leg, const struct adapter_final_use *use);

    /* Output for the client. False: too much is under way; suspend until ADAPTER_EVENT_ROOM. */
    bool (*emit_text)(void *self, struct adapter_leg *leg, const char *text, size_t bytes);
    bool (*emit_audio)(void *self, struct adapter_leg *leg, const void *audio, size_t bytes);

    /* A verb has ended. The next begin() for this leg may come from within. */
    void (*finished)(void *self, struct adapter_leg *leg, const struct adapter_result *result);
};

enum adapter_event_kind {
    ADAPTER_EVENT_HEAD, /* status, content_type, retry_after_s */
    ADAPTER_EVENT_DATA, /* bytes */
    ADAPTER_EVENT_END,  /* result */
    ADAPTER_EVENT_AWAKE,
    ADAPTER_EVENT_COVERED, /* the use that was waiting is covered */
    ADAPTER_EVENT_ROOM,    /* output may go on */
    ADAPTER_EVENT_CUT,     /* stop now: what waits raises, and the verb ends with ERROR_CUT */
};

/* Events of an exchange the script is not reading now are kept by the VM until it does; at most
 * the exchange's window. */
struct adapter_event {
    enum adapter_event_kind kind;
    uint64_t exchange;
    int status;
    const char *content_type;
    int64_t retry_after_s;
    const void *bytes;
    size_t size_bytes;
    enum net_http_result result;
};

/* What a verb is given, as JSON objects. */
struct adapter_input {
    const char *config;   /* INITIALIZE: provider_config of the tenant, persona, language, leg_id */
    const char *limits;   /* INITIALIZE: {"media_ms":…,"tokens":…,"session_seconds":…} */
    const char *drive;    /* DRIVE: {"text":…}; for text also tokens_max, and prompt_bytes and
                             prompt_messages, which the conversation has */
    const char *messages; /* DRIVE for text: the conversation, a JSON list of {"role":…,
                             "content":…} that ends with "text"; else "" */
    enum adapter_stop_reason reason; /* TERMINATE */
};

struct adapter_vm;

struct adapter_port {
    void *self;

    /* The data sheet of a provider, or NULL. Valid as long as the process. Threads: any. */
    const struct adapter_sheet *(*sheet)(void *self, const char *provider);

    /* A VM for one vendor actor; NULL when out of memory or the scripts do not load (logged). */
    struct adapter_vm *(*open)(void *self, const struct adapter_host *host);
    void (*close)(struct adapter_vm *vm);

    /* Begins a verb on a leg that has none under way. `leg->vm_slot` 0: a new leg of `provider`. */
    void (*begin)(struct adapter_vm *vm, struct adapter_leg *leg, const char *provider,
                  enum adapter_verb verb, const struct adapter_input *input);
    void (*resume)(struct adapter_vm *vm, struct adapter_leg *leg,
                   const struct adapter_event *event);

    /* Forgets a leg, whatever it was doing; its exchanges are cancelled by the vendor actor. */
    void (*forget)(struct adapter_vm *vm, struct adapter_leg *leg);
};

#endif
