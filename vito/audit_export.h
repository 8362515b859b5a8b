/*
 * vito/audit_export.h - an audit trail as CloudEvents 1.0, one JSON text a line: what it is handed
 * out as, and what vito/audit_verify.h reads.
 *
 *   entries       type "dev.twingateway.usage.posted.v1" (a BILLING_EVENT) or
 *                 "dev.twingateway.audit.<event>.v1"; the extension "sequence" is the cursor,
 *                 "chain" the hash that the entry is chained with
 *   checkpoints   "dev.twingateway.audit.checkpoint.v1", behind the entry they stand for; first of
 *                 all the one that a trail begins at whose older entries are gone
 *   the head      "dev.twingateway.audit.head.v1": where the trail stands. The last line; a page
 *                 without it has a next one, after the last line's sequence
 *
 * Source: CloudEvents 1.0.2, JSON format, and its extension "sequence"; read 2026-11.
 */
#ifndef VITO_AUDIT_EXPORT_H
#define VITO_AUDIT_EXPORT_H

#include "vito/audit_json.h"
#include "vito/audit_sign.h"

/* Where a trail stands, as its store has it. */
struct vito_audit_head {
    char tenant_id[VITO_TENANT_ID_BYTES];
    int64_t seq; /* of the last record; 0: there is none */
    struct vito_chain chain;
    int64_t checkpoint_seq; /* of the last checkpoint; 0: none */
    int64_t pruned_seq;     /* records up to here are not listed any more; 0: all are */
};

/* An export being printed. */
struct vito_audit_exporter {
    FILE *out;
    char *text;
    size_t size_bytes;
    uint32_t limit, printed;
    bool has_more;
};

/* Begins a page of at most `limit` entries. RT_OK | RT_NO_MEMORY. */
RT_MUST_USE enum rt_status vito_audit_export_begin(struct vito_audit_exporter *exporter,
                                                   uint32_t limit);

/* Adds an entry. False when the page is full: it is not in it. */
bool vito_audit_export_entry(struct vito_audit_exporter *exporter,
                             const struct vito_audit_record *record, int64_t seq,
                             const struct vito_chain *chain);

/* Adds a checkpoint; a page is never too full for it. */
void vito_audit_export_checkpoint(struct vito_audit_exporter *exporter,
                                  const struct vito_checkpoint *checkpoint);

/* Adds the head, unless there is more. RT_OK | RT_NO_MEMORY. The caller owns one reference of
 * *document_out. */
RT_MUST_USE enum rt_status vito_audit_export_end(struct vito_audit_exporter *exporter,
                                                 const struct vito_audit_head *head,
                                                 struct rt_buffer **document_out);

#endif
