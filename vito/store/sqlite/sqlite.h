/*
 * vito/store/sqlite/sqlite.h - the embedded store: SQLite with a write-ahead log, synced in full.
 *
 * Two halves. The database carries out requests inside a transaction somebody else begins and
 * commits; it knows no threads. The thread gathers what waits into one transaction, commits,
 * and only then answers: one fsync for up to BATCH_MAX requests.
 */
#ifndef VITO_STORE_SQLITE_SQLITE_H
#define VITO_STORE_SQLITE_SQLITE_H

#include "runtime/system.h"
#include "vito/store.h"

struct vito_sqlite;

/*
 * Opens or makes a database and brings its schema up to date. Slices and legs of a former life
 * are settled: a leg that was open counts as spent in full, because nobody can prove it unused.
 *
 *   path         a file, or ":memory:"; "<path>.lock" keeps a second gateway out
 *   migrate      false: a schema that is not current is an error, and so is a missing file
 *   now_ms       wall time, for the records of that settlement
 *   problem_out  on failure: one line, what, where and how to mend it
 *   returns      RT_OK | RT_IO | RT_INVALID (not ours, or from a newer version) | RT_NO_MEMORY
 *   threads      one at a time
 */
RT_MUST_USE enum rt_status vito_sqlite_open(const char *path, bool migrate, int64_t now_ms,
                                            struct vito_sqlite **database_out, char *problem,
                                            size_t problem_bytes);
void vito_sqlite_close(struct vito_sqlite *database);

/* One transaction around any number of executes. RT_OK | RT_UNAVAILABLE (then nothing of the
 * transaction happened). */
RT_MUST_USE enum rt_status vito_sqlite_begin(struct vito_sqlite *database);
RT_MUST_USE enum rt_status vito_sqlite_commit(struct vito_sqlite *database);
void vito_sqlite_rollback(struct vito_sqlite *database);

/*
 * Carries out one request within the transaction.
 *
 *   document_out  the answer's document, or NULL; the caller owns one reference
 *   returns       false when the transaction is broken (disk full, I/O error): roll back
 */
RT_MUST_USE bool vito_sqlite_execute(struct vito_sqlite *database,
                                     const struct vito_request *request,
                                     struct vito_stored *stored_out,
                                     struct rt_buffer **document_out);

/*
 * One request in a transaction of its own, for the time before the store's thread runs.
 *
 *   ownership  takes the request's document; the answer's is the caller's, NULL on failure
 *   returns    the answer's status
 */
enum rt_status vito_sqlite_ask(struct vito_sqlite *database, const struct vito_request *request,
                               struct vito_stored *stored_out, struct rt_buffer **document_out);

/*
 * Whether the books balance: reserved is the sum of open grants, posted the sum of costs, every
 * settled leg has one record, and no record was changed. Reads the whole ledger; outside of a
 * transaction.
 *
 *   problem_out  the first thing that is not so
 *   returns      RT_OK | RT_INVALID | RT_UNAVAILABLE
 */
RT_MUST_USE enum rt_status vito_sqlite_check(struct vito_sqlite *database, char *problem,
                                             size_t problem_bytes);

/* The store of a running gateway: a thread on top of `database`, which it takes. NULL when out
 * of memory or threads. */
struct vito_sqlite_thread;
struct vito_sqlite_thread *vito_sqlite_thread_start(struct vito_sqlite *database,
                                                    struct rt_system *system);
struct vito_store vito_sqlite_thread_store(struct vito_sqlite_thread *thread);

/* Carries out what waits, answers it, and closes the database. Blocks. After rt_system_stop(), so
 * that nobody submits any more. */
void vito_sqlite_thread_stop(struct vito_sqlite_thread *thread);

#endif
