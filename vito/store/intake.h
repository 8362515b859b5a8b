/*
 * vito/store/intake.h - where requests wait for a store's thread, and how their answers go out.
 *
 *   submit ──► queue ──► take: a batch ──► the store carries it out ──► answer each
 *
 * Many senders, one taker. Bounded: when WAITING_MAX requests wait, more are answered
 * RT_UNAVAILABLE at once.
 *
 * Tenants take turns: a batch has one request of each in turn, those of one tenant in their order.
 * Who they are is known by a hash of their names, so two may share their turns (stochastic fair
 * queueing, RFC 8290 section 4.1). A request about no tenant keeps its place among all. While
 * several have requests, batches are small, for a request that comes waits until the batch under
 * way is durable.
 */
#ifndef VITO_STORE_INTAKE_H
#define VITO_STORE_INTAKE_H

#include "runtime/queue.h"
#include "runtime/system.h"
#include "vito/store.h"

enum {
    VITO_INTAKE_BATCH_MAX = 1000,
    VITO_INTAKE_SHARE = 32, /* of each tenant in a batch, about, if several had requests of late */
    VITO_INTAKE_TURNS = 64, /* tenants told apart, about */
};

/* A request under way. */
struct vito_intake_item {
    struct rt_link link;
    struct vito_intake_item *next; /* of the same turn */
    struct rt_address caller;
    uint64_t request_id;
    struct vito_request request;
    unsigned place;            /* in what is grouped */
    struct vito_stored stored; /* the answer */
    struct rt_buffer *document;
};

/* Requests of the tenants of one hash, oldest first. */
struct vito_intake_turn {
    struct vito_intake_turn *next; /* in the round; itself when it is the only one */
    struct vito_intake_item *first, *last;
};

struct vito_intake {
    struct rt_system *system;
    struct rt_queue queue;
    /* The taker's: what it has sorted. */
    struct vito_intake_turn turns[VITO_INTAKE_TURNS];
    struct vito_intake_turn
        *round; /* the one that was served last, of those with requests, or NULL */
    struct vito_intake_item
        *common;         /* about no tenant: when all turns before it are over; or NULL */
    unsigned turn_count; /* in the round */
    unsigned shared;     /* batches to go that are small */
    atomic_uint waiting;
    atomic_bool stopping;
    int wake_fd; /* an eventfd: readable when there may be work */
};

/* RT_OK | RT_IO (no file descriptor). */
RT_MUST_USE enum rt_status vito_intake_init(struct vito_intake *intake, struct rt_system *system);
void vito_intake_deinit(struct vito_intake *intake);

/* The port's submit. Threads: any worker. */
void vito_intake_submit(struct vito_intake *intake, struct rt_actor *caller,
                        const struct vito_request *request, uint64_t request_id);

/* Takes up to a batch of what waits. 0: nothing is left, and whoever submits next makes wake_fd
 * readable. Threads: the taker. */
unsigned vito_intake_take(struct vito_intake *intake,
                          struct vito_intake_item *items[VITO_INTAKE_BATCH_MAX]);

/* Puts requests of each tenant side by side, tenants by their names; each one's keep their order. A
 * store whose indices lead with the tenant finds and writes neighbours then. Threads: the taker. */
void vito_intake_group(struct vito_intake_item **items, unsigned count);

/* Sends an item's answer and frees it. With `done` false it is RT_UNAVAILABLE. */
void vito_intake_answer(struct vito_intake *intake, struct vito_intake_item *item, bool done);

/* Tells the taker to end when nothing is left. After that nobody submits. */
void vito_intake_stop(struct vito_intake *intake);

/* Whether it was told. What was submitted before is in the queue then. */
bool vito_intake_is_stopping(const struct vito_intake *intake);

/* Makes wake_fd unreadable until there is something new. Waits for that when it is blocking. */
void vito_intake_rest(struct vito_intake *intake);

/* Metrics of the store: a batch, how long its commit took, whether it was
 * undone. */
void vito_intake_count(uint64_t commit_ns, bool done);

#endif
