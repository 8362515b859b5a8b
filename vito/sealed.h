/*
 * vito/sealed.h - the vault's rows as they travel between the vault and a store: keys and secrets
 * that are sealed, and what is known of them in clear.
 *
 * A document of rows is a sequence of struct vito_sealed, each followed by its blob. It never
 * leaves the process. Stores keep blobs and do not look into them (vito/vault/blob.h does).
 */
#ifndef VITO_SEALED_H
#define VITO_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "vito/id.h"

enum {
    VITO_SEALED_NAME_BYTES = 64,       /* as VITO_SECRET_NAME_BYTES */
    VITO_SEALED_PROVIDERS_BYTES = 128, /* "openai,cartesia" */
    VITO_SEALED_BLOB_BYTES_MAX = 16 * 1024,
};

enum vito_sealed_kind {
    VITO_SEALED_ROOT,    /* the gateway's own keys, under the master key; tenant_id is "" */
    VITO_SEALED_TENANT,  /* there is such a tenant; no blob. In answers only */
    VITO_SEALED_KEY,     /* a tenant's key, under the master key */
    VITO_SEALED_SECRET,  /* under the tenant's key */
    VITO_SEALED_GONE,    /* that secret is to be removed; no blob. In requests only */
    VITO_SEALED_DETAILS, /* not sealed: of the request's audit event, a JSON object */
    VITO_SEALED_KIND_COUNT,
};

struct vito_sealed {
    enum vito_sealed_kind kind;
    char tenant_id[VITO_TENANT_ID_BYTES];
    char name[VITO_SEALED_NAME_BYTES];           /* of a secret */
    char providers[VITO_SEALED_PROVIDERS_BYTES]; /* of a secret: who may use it */
    int64_t version; /* ROOT, KEY: written only in the place of version - 1, or as the first one */
    int64_t at_ms;   /* SECRET: wall time of this version */
    uint32_t blob_bytes;
};

/* A row of a document. */
struct vito_sealed_row {
    struct vito_sealed sealed;
    const uint8_t *blob;
};

/*
 * Reads the row at *offset and moves it on.
 *
 *   document   NULL has no rows
 *   returns    false at the end, or where the document is broken off
 */
RT_MUST_USE bool vito_sealed_next(const struct rt_buffer *document, size_t *offset,
                                  struct vito_sealed_row *row_out);

/* A document that is being written. Zeroed: empty. */
struct vito_sealed_writer {
    uint8_t *bytes;
    size_t size_bytes, room_bytes;
    bool failed; /* out of memory: remembered, and asked for once, at the end */
};

/* Appends a row; returns where its sealed->blob_bytes are to be written, NULL when out of memory.
 */
uint8_t *vito_sealed_add(struct vito_sealed_writer *writer, const struct vito_sealed *sealed);

/* The document as a buffer, and the writer empty again. NULL when out of memory, or beyond
 * RT_BUFFER_BYTES_MAX. */
struct rt_buffer *vito_sealed_finish(struct vito_sealed_writer *writer);

#endif
