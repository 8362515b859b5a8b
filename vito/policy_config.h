/*
 * vito/policy_config.h - what a tenant's limits, rates, modes and prices are.
 *
 * The document is JSON (CONTRACT 5, schema/policy_config.schema.json); here it is read once,
 * checked whole, and kept as numbers.
 */
#ifndef VITO_POLICY_CONFIG_H
#define VITO_POLICY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "runtime/status.h"
#include "vito/period.h"

/* Ordered by cost: a downgrade goes to a smaller value. */
enum vito_mode { VITO_TEXT, VITO_VOICE, VITO_VIDEO, VITO_MODE_COUNT };

/* "text", "voice", "video". */
const char *vito_mode_name(enum vito_mode mode);

/* The mode of that name, or VITO_MODE_COUNT. NULL is allowed. */
enum vito_mode vito_mode_of(const char *name);

#define VITO_UNLIMITED INT64_MAX

struct vito_limits {
    int64_t month_nusd;         /* monthly_hard_limit_usd */
    int64_t session_nusd;       /* or VITO_UNLIMITED, as all below */
    int64_t video_ms, voice_ms; /* a month */
    int64_t session_ms;         /* session_minutes_max */
    int64_t session_tokens;
};

struct vito_rate {
    uint32_t per_second;  /* 1 … 1,000,000 */
    uint32_t burst;       /* 1 … 1,000,000 */
    uint32_t queue;       /* waiting at most; 0 … 100,000 */
    uint32_t max_wait_ms; /* each; 0 … 600,000 */
};

/* What a unit costs when the vendor brings no price of its own. */
struct vito_prices {
    int64_t interaction_nusd;
    int64_t token_1k_nusd;
    int64_t minute_nusd[VITO_MODE_COUNT]; /* of VITO_VOICE and VITO_VIDEO */
};

enum { VITO_ZONE_NAME_BYTES = 64, VITO_VERSION_BYTES = 24 };

struct vito_policy_config {
    struct vito_limits limits;
    struct vito_rate rate;
    bool modes[VITO_MODE_COUNT];
    struct vito_prices prices;
    char zone_name[VITO_ZONE_NAME_BYTES];
    const struct vito_zone *zone;
    struct rt_buffer *settings; /* JSON object for the policy; owned */
};

enum { VITO_PROBLEM_BYTES = 512 };

/*
 * Reads and checks a document. What is left out gets the default of CONTRACT 5.
 *
 *   json         NULL or an empty object: all defaults
 *   problem_out  on failure: every problem as "/json/pointer: what", joined by "; "
 *   returns      RT_OK | RT_INVALID | RT_NO_MEMORY
 *   ownership    vito_policy_config_deinit() frees what *config_out holds
 *   blocking     reads the time-zone database; not in an actor's turn
 */
RT_MUST_USE enum rt_status vito_policy_config_parse(const char *json, size_t json_bytes,
                                                    struct vito_policy_config *config_out,
                                                    char problem_out[VITO_PROBLEM_BYTES]);

void vito_policy_config_deinit(struct vito_policy_config *config);

/* The document in full, defaults included, as compact JSON. NULL when out of memory; by free(). */
char *vito_policy_config_print(const struct vito_policy_config *config);

#endif
