/*
 * actors/vendor_state.h - a vendor actor's private state, shared by the files vendor*.c alone.
 *
 *   vendor.c        messages in, alarms; the dispatch
 *   vendor_leg.c    legs: verb by verb, and what their owners hear of them
 *   vendor_clock.c  legs that cost by the clock
 *   vendor_host.c   what scripts ask for: I/O, sleep, money, output
 *   vendor_wire.c   the one door to vendors
 */
#ifndef ACTORS_VENDOR_STATE_H
#define ACTORS_VENDOR_STATE_H

#include "actors/messages.h"
#include "actors/vendor.h"
#include "runtime/table.h"

struct vendor {
    const struct world *world;
    struct rt_actor *self;
    struct adapter_vm *vm;
    struct rt_table legs;      /* by number */
    struct rt_table exchanges; /* by transfer */
    uint64_t transfer;
    struct vendor_leg *spent; /* has used up what it may, in the call under way; or NULL */
    struct rt_wheel wheel;    /* sleeps and patience of all legs, behind one timer */
    struct rt_timer timer;
};

/* One HTTP transfer of a leg. */
struct vendor_exchange {
    struct rt_table_link link;
    uint64_t transfer;
    struct vendor_leg *leg;
    struct vendor_exchange *next; /* of the same leg */
};

enum vendor_alarm_kind {
    VENDOR_ALARM_SLEEP,    /* the script sleeps, or is to be cut */
    VENDOR_ALARM_PATIENCE, /* with a verb */
    VENDOR_ALARM_CLOCK,    /* more is to be asked for, or the allowance ends */
};

/* A deadline of a leg, in the vendor's wheel. */
struct vendor_alarm {
    struct rt_wheel_entry entry;
    struct vendor_leg *leg;
    enum vendor_alarm_kind kind;
};

struct vendor_leg {
    struct adapter_leg adapter; /* what the VM hands back */
    struct rt_table_link link;
    uint64_t number;
    struct rt_address owner, heir;
    struct vito_hold *hold;
    char provider[VITO_PROVIDER_BYTES];
    struct rt_buffer *inputs;
    struct rt_buffer *ref; /* the vendor's name of a session by the clock, without a NUL; or NULL */
    enum adapter_verb verb; /* under way */
    bool verb_runs;
    bool stop_wanted;
    enum adapter_stop_reason reason;
    bool opened;
    bool by_clock; /* costs run on until its vendor is told to stop, whatever is waited for, … */
    uint64_t began_ns; /* … from here, by the boot clock */
    bool lost_output;  /* some was not taken */
    int64_t tokens, media_ms;
    int64_t allowed_tokens, allowed_ms, renew_tokens, renew_ms;
    bool waits_for_cover, waits_for_room;
    uint64_t waits_since_ns; /* for cover */
    uint64_t last_ns;        /* when its allowance was said to be the last; or 0 */
    uint64_t cut_ns;         /* when its money was at an end, until its vendor was told; or 0 */
    uint32_t unacked_bytes;
    uint64_t reported_ns;
    struct vendor_exchange *exchanges;
    struct vendor_alarm sleep, patience, clock;
    enum adapter_error error; /* of initialize or drive */
    int status;
    int64_t retry_after_s;
};

/* vendor_leg.c */
struct vendor_leg *vendor_find_leg(const struct vendor *vendor, uint64_t number);
struct vendor_exchange *vendor_find_exchange(const struct vendor *vendor, uint64_t transfer);
void vendor_wake_after(struct vendor *vendor, struct vendor_alarm *alarm, uint32_t ms);
void vendor_set_timer(struct vendor *vendor);
struct rt_message *vendor_event_message(const struct vendor *vendor, const struct vendor_leg *leg,
                                        enum twin_kind kind);
bool vendor_want_stop(struct vendor_leg *leg, enum adapter_stop_reason reason);
bool vendor_tell_owner(struct vendor *vendor, struct vendor_leg *leg, struct rt_message *message);
void vendor_report_use(struct vendor *vendor, struct vendor_leg *leg);
void vendor_forget_exchange(struct vendor *vendor, struct vendor_exchange *exchange);
void vendor_close_leg(struct vendor *vendor, struct vendor_leg *leg, enum adapter_stopped stopped);
void vendor_begin_verb(struct vendor *vendor, struct vendor_leg *leg, enum adapter_verb verb);
void vendor_resume_with(struct vendor *vendor, struct vendor_leg *leg,
                        enum adapter_event_kind kind);
void vendor_stop_leg(struct vendor *vendor, struct vendor_leg *leg, const struct vendor_stop *stop);
/* Stops a leg that has used up its last allowance, or one by the clock any allowance: its owner,
 * who hears of it besides, need not be asked. Not from within the VM. */
void vendor_end_spent(struct vendor *vendor, struct vendor_leg *leg);
struct vendor_leg *vendor_leg_of(struct adapter_leg *adapter);
void vendor_on_finished(void *host, struct adapter_leg *adapter,
                        const struct adapter_result *result);
void vendor_resume(struct vendor *vendor, struct vendor_leg *leg,
                   const struct adapter_event *event);

/* vendor_clock.c */
/* Plans when to look at a leg's clock next; for others nothing. */
void vendor_clock_set(struct vendor *vendor, struct vendor_leg *leg);
void vendor_on_clock(struct vendor *vendor, struct vendor_leg *leg);
/* What a leg may have cost by now: by its reports, or by the clock if that is more. */
int64_t vendor_clock_media_ms(const struct vendor *vendor, const struct vendor_leg *leg);

/* vendor_host.c: what the VM is given; `self` is filled in by vendor.c. */
extern const struct adapter_host vendor_host;
bool vendor_is_covered(const struct vendor_leg *leg);

#endif
