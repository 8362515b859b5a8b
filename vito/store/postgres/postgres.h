/*
 * vito/store/postgres/postgres.h - the shared store: any number of gateways on one PostgreSQL.
 *
 * A batch of requests is one transaction of two round trips, however many it has: what they are
 * about is read and locked, the arithmetic is done here in the order of the requests, and what
 * changed is written in groups (unnest), with the commit behind it.
 *
 * Every gateway is a node with an epoch and a lease. Each transaction that writes renews the
 * lease, and fails when the epoch has moved on: then somebody has settled what this node had
 * open, because it was away for too long or because its name was started anew. No write of a
 * former life can follow, so a leg that nobody settled is settled once, at what it held.
 *
 * Source: PostgreSQL 15 manual, 34.5 (pipeline mode) and 5.8 (row security), read 2026-11.
 */
#ifndef VITO_STORE_POSTGRES_POSTGRES_H
#define VITO_STORE_POSTGRES_POSTGRES_H

#include "runtime/system.h"
#include "vito/store.h"

struct vito_postgres;

enum { VITO_NODE_BYTES = 128 };

struct vito_postgres_options {
    const char *uri;   /* a libpq URI or connection string */
    const char *node;  /* this gateway's name: no two that live at once, the same after a restart */
    bool migrate;      /* false: a schema that is not current is an error */
    uint32_t lease_ms; /* without a sign of life before others settle what is open; 0: 5000 */
    const struct rt_world *world;
};

/*
 * Connects, brings the schema up to date, and begins a new epoch of the node: what former ones
 * left open is settled as the embedded store does it.
 *
 *   problem_out  on failure: one line, what, where and how to mend it; no password
 *   returns      RT_OK | RT_IO (cannot be reached) | RT_INVALID (not ours, or from a newer
 *                version) | RT_EXISTS (a gateway of that name is running) | RT_NO_MEMORY
 *   threads      one at a time
 *   blocking     up to ten seconds, longer when much is left to settle
 */
RT_MUST_USE enum rt_status vito_postgres_open(const struct vito_postgres_options *options,
                                              struct vito_postgres **database_out, char *problem,
                                              size_t problem_bytes);

/* Ends the node's lease, so that others need not wait for it to run out. */
void vito_postgres_close(struct vito_postgres *database);

/* Whether a text names a store of this kind. */
bool vito_postgres_is_uri(const char *text);

/* One transaction around any number of executes, as vito/store/sqlite/sqlite.h has it. */
RT_MUST_USE enum rt_status vito_postgres_begin(struct vito_postgres *database);
RT_MUST_USE enum rt_status vito_postgres_commit(struct vito_postgres *database);
void vito_postgres_rollback(struct vito_postgres *database);
RT_MUST_USE bool vito_postgres_execute(struct vito_postgres *database,
                                       const struct vito_request *request,
                                       struct vito_stored *stored_out,
                                       struct rt_buffer **document_out);

/* One request in a transaction of its own, as vito_sqlite_ask(). */
enum rt_status vito_postgres_ask(struct vito_postgres *database, const struct vito_request *request,
                                 struct vito_stored *stored_out, struct rt_buffer **document_out);

/*
 * Whether the books of all tenants balance; see vito_sqlite_check(). Reads the whole ledger.
 *
 *   problem_out  the first thing that is not so
 *   returns      RT_OK | RT_INVALID | RT_UNAVAILABLE
 */
RT_MUST_USE enum rt_status vito_postgres_check(struct vito_postgres *database, char *problem,
                                               size_t problem_bytes);

/*
 * The store of a running gateway: a thread on top of `database`, which it takes. NULL when out
 * of memory, threads or file descriptors.
 *
 * While the database cannot be reached every request is answered RT_UNAVAILABLE at once, and the
 * thread tries again, at growing intervals up to two seconds. When the connection breaks between
 * a commit and its answer, the database is asked what became of the transaction before anybody
 * gets an answer; only when that cannot be had for RECONCILE_MS it is RT_UNAVAILABLE.
 */
struct vito_postgres_thread;
struct vito_postgres_thread *vito_postgres_thread_start(struct vito_postgres *database,
                                                        struct rt_system *system);
struct vito_store vito_postgres_thread_store(struct vito_postgres_thread *thread);

/* As vito_sqlite_thread_stop(). */
void vito_postgres_thread_stop(struct vito_postgres_thread *thread);

#endif
