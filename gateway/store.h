/*
 * gateway/store.h - the store that the configuration names, of either kind.
 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include "gateway/config.h"
#include "runtime/system.h"
#include "vito/store.h"

struct store;

/*
 * Opens the store and brings its schema up to date.
 *
 *   migrate      false: a schema that is not current is an error
 *   problem_out  on failure: one line, what, where and how to mend it
 *   returns      NULL on failure
 */
struct store *store_open(const struct config *config, bool migrate, char *problem,
                         size_t problem_bytes);

/* One request in a transaction of its own, as vito_sqlite_ask() does it; before store_start(). */
enum rt_status store_ask(struct store *store, const struct vito_request *request,
                         struct vito_stored *stored_out, struct rt_buffer **document_out);

/* From now on the actors of `system` ask it, by its port. False when out of memory or threads. */
bool store_start(struct store *store, struct rt_system *system);
struct vito_store store_port(struct store *store);

/* After rt_system_stop(). NULL is ignored. */
void store_close(struct store *store);

/* The store's name without a password. */
const char *store_shown(const char *name, char *shown, size_t room);

#endif
