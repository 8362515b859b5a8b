#include "vito/audit_chain.h"

#include <sodium.h>
#include <string.h>

#include "runtime/assert.h"

/* Each with its length in front, so that no two records read the same. */
static void
add_bytes(crypto_generichash_state *state, const char *bytes, size_t size_bytes)
{
    uint8_t size[4] = {0xff, 0xff, 0xff, 0xff}; /* NULL */
    for (int i = 0; bytes != NULL && i < 4; i++)
        size[i] = (uint8_t)(size_bytes >> 8 * i);
    crypto_generichash_update(state, size, sizeof(size));
    crypto_generichash_update(state, (const uint8_t *)bytes, bytes == NULL ? 0 : size_bytes);
}

/* "" is the same as NULL, which stores may keep it as. */
static void
add_text(crypto_generichash_state *state, const char *text)
{
    bool is_empty = text == NULL || *text == '\0';
    add_bytes(state, is_empty ? NULL : text, is_empty ? 0 : strlen(text));
}

static void
add_number(crypto_generichash_state *state, int64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)number >> 8 * i);
    crypto_generichash_update(state, bytes, sizeof(bytes));
}

static void
add_leg(crypto_generichash_state *state, const struct vito_audit_record *record)
{
    add_text(state, record->provider_id);
    add_text(state, record->decision_id);
    add_text(state, record->policy_version);
    add_text(state, record->mode);
    add_text(state, record->outcome);
    add_number(state, record->cost_nusd);
    add_number(state, record->tokens);
    add_number(state, record->media_ms);
    add_number(state, record->interactions);
}

struct vito_chain
vito_audit_chain(const struct vito_chain *before, const struct vito_audit_record *record)
{
    struct vito_chain chain;
    crypto_generichash_state state;
    int failed = sodium_init();
    RT_ASSERT(failed >= 0);
    crypto_generichash_init(&state, NULL, 0, sizeof(chain.bytes));
    crypto_generichash_update(&state, before->bytes, sizeof(before->bytes));
    add_text(&state, record->id);
    add_text(&state, record->tenant_id);
    add_text(&state, record->event);
    add_text(&state, record->session_id);
    add_number(&state, record->at_ms);
    add_number(&state, record->is_leg);
    if (record->is_leg)
        add_leg(&state, record);
    add_bytes(&state, record->details, record->details_bytes);
    crypto_generichash_final(&state, chain.bytes, sizeof(chain.bytes));
    return chain;
}
