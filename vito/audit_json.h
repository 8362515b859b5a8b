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
    VITO_AUDIT_DETAILS_BYTES_MAX = 64 << 10, /* of one record; in one line */
    VITO_AUDIT_EVENT_BYTES = 48,
};

/* "name":"text", escaped; null when it is NULL. */
void vito_json_print_member(FILE *out, const char *name, const char *text);

/* The text as it stands between quotes. */
void vito_json_print_escaped(FILE *out, const char *text);

/* What a record says, as an object: all of it but its id, its tenant and its time. */
void vito_audit_print_data(FILE *out, const struct vito_audit_record *record);

/* What an AUDIT_PRUNED record says of the records that are let go. */
struct vito_audit_pruned {
    int64_t through; /* the checkpoint the trail begins at from now on */
    int64_t entries, cost_nusd, first_ms, last_ms;
};
enum { VITO_AUDIT_PRUNED_BYTES = 256 };
const char *vito_audit_print_pruned(const struct vito_audit_pruned *pruned,
                                    char text_out[VITO_AUDIT_PRUNED_BYTES]);

/* Whether they may be a record's details, as far as bytes go: not too long, one line, no NUL (some
 * stores would take what is before it for all). */
bool vito_audit_details_are_sound(const struct rt_buffer *details);

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
