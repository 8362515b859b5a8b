/*
 * vito/audit_verify.h - whether an exported audit trail (vito/audit_export.h) is whole.
 *
 * What is found, by what:
 *   an entry changed, taken out, put in, or moved    its chain does not follow from the one before
 *   all entries from one on made anew                the next checkpoint was signed for another
 * chain the end cut off                                  the head, or a checkpoint, stands further
 * on the beginning cut off                            no AUDIT_PRUNED entry says so checkpoints
 * taken out                            the head knows a later one all of that, consistently, behind
 * the last       an anchor: a head that was noted before checkpoint or with all checkpoints gone
 *
 * Holds one line at a time; knows no files and no network. Threads: one.
 */
#ifndef VITO_AUDIT_VERIFY_H
#define VITO_AUDIT_VERIFY_H

#include "vito/audit_export.h"
#include "vito/period.h"

enum {
    VITO_AUDIT_PROBLEM_BYTES = 512,
    VITO_AUDIT_LINE_BYTES_MAX = 2 * VITO_AUDIT_DETAILS_BYTES_MAX
};

/* A head noted before: the entry `seq` had that chain. */
struct vito_audit_anchor {
    int64_t seq; /* 0: there is none */
    struct vito_chain chain;
};

struct vito_audit_verifier {
    /* filled in by the caller, the rest zeroed */
    bool has_key;
    uint8_t key[VITO_PUBLIC_KEY_BYTES]; /* who alone may have signed; without: anybody, once */
    struct vito_audit_anchor anchor;
    const char *tenant_id; /* whose trail it must be; NULL: that of the first line */

    char name[VITO_TENANT_ID_BYTES];
    struct vito_chain chain; /* where we are */
    int64_t seq;
    char last_id[VITO_ID_BYTES], last_at[VITO_TIME_TEXT_BYTES];
    int64_t start_seq; /* > 0: older entries are gone, and … */
    bool start_told;   /* … an entry says so */
    bool anchor_met, ended;
    int64_t checkpoint_seq;
    uint64_t lines, entries, checkpoints;
    char problem[VITO_AUDIT_PROBLEM_BYTES];
};

/* Takes the next line, without its end. RT_OK | RT_INVALID: `problem` says what and where; no
 * further line is to be given. */
RT_MUST_USE enum rt_status vito_audit_verify_line(struct vito_audit_verifier *verifier,
                                                  const char *line, size_t size_bytes);

/* After the last line. As above. */
RT_MUST_USE enum rt_status vito_audit_verify_end(struct vito_audit_verifier *verifier);

/* Reads as many bytes as there are pairs of digits. False when it is anything else. */
RT_MUST_USE bool vito_hex_parse(const char *text, uint8_t *bytes_out, size_t size_bytes);

#endif
