/*
 * vito/store/intake.h - where requests wait for a store's thread, and how their answers go out.
 *
 *   submit ──► queue ──► take: a batch ──► the store carries it out ──► answer each
 *
 * Many senders, one taker. Bounded: when WAITING_MAX requests wait, more are answered
 * RT_UNAVAILABLE at once.
 */
#ifndef VITO_STORE_INTAKE_H
#define VITO_STORE_INTAKE_H

#include "runtime/queue.h"
#include "runtime/system.h"
#include "vito/store.h"

enum { VITO_INTAKE_BATCH_MAX = 1000 };

/* A request under way. */
struct vito_intake_item {
    struct rt_link link;
    struct rt_address caller;
    uint64_t request_id;
    struct vito_request request;
    struct vito_stored stored; /* the answer */
    struct rt_buffer *document;
};

struct vito_intake {
    struct rt_system *system;
    struct rt_queue queue;
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

/* Sends an item's answer and frees it. With `done` false it is RT_UNAVAILABLE. */
void vito_intake_answer(struct vito_intake *intake, struct vito_intake_item *item, bool done);

/* Tells the taker to end when nothing is left. After that nobody submits. */
void vito_intake_stop(struct vito_intake *intake);

/* Whether it was told. What was submitted before is in the queue then. */
bool vito_intake_is_stopping(const struct vito_intake *intake);

/* Makes wake_fd unreadable until there is something new. Waits for that when it is blocking. */
void vito_intake_rest(struct vito_intake *intake);

/* Metrics of the store: a batch of `count` requests, how long its commit took, whether it was
 * undone. */
void vito_intake_count(unsigned count, uint64_t commit_ns, bool done);

#endif
