/*
 * vito/audit_json.h - audit records as JSON (CONTRACT 5), the same from every store.
 */
#ifndef VITO_AUDIT_JSON_H
#define VITO_AUDIT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "runtime/status.h"
#include "vito/audit_chain.h"

enum {
    VITO_AUDIT_ENTRIES_MAX = 1000,           /* a list */
    VITO_AUDIT_LIST_BYTES_MAX = 4 << 20,     /* a list ends early when its text is longer */
    VITO_AUDIT_DETAILS_BYTES_MAX = 64 << 10, /* of one record */
};

/* "name":"text", escaped; null when it is NULL. */
void vito_json_print_member(FILE *out, const char *name, const char *text);

/* A list being printed. */
struct vito_audit_printer {
    FILE *out;
    char *text;
    size_t size_bytes;
    uint32_t limit, printed;
    int64_t cursor;
    bool has_more;
};

/* Begins {"entries":[…],"next":…} of at most `limit` entries. RT_OK | RT_NO_MEMORY. */
RT_MUST_USE enum rt_status vito_audit_print_begin(struct vito_audit_printer *printer,
                                                  uint32_t limit);

/* Adds one; `cursor` is where the list goes on behind it. False when the list is full: it is not
 * in it, and "next" tells where to go on. */
bool vito_audit_print(struct vito_audit_printer *printer, const struct vito_audit_record *record,
                      int64_t cursor);

/* RT_OK | RT_NO_MEMORY. The caller owns one reference of *document_out. */
RT_MUST_USE enum rt_status vito_audit_print_end(struct vito_audit_printer *printer,
                                                struct rt_buffer **document_out);

#endif
