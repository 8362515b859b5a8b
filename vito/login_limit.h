/*
 * vito/login_limit.h - how often somebody may show credentials that are not valid.
 *
 * A fixed table that all workers read and write without a lock. Somebody is a number: the place a
 * connection comes from, or the credential itself. Each has an allowance that fills up with
 * failures and empties evenly (a leaky bucket); who has filled his up is not listened to until
 * there is room again. When a row of the table is full, the one closest to empty is forgotten, so
 * memory is bounded, and who fails from a great many places is counted less well, never others
 * more.
 *
 * All calls but create and destroy: any thread, no blocking.
 */
#ifndef VITO_LOGIN_LIMIT_H
#define VITO_LOGIN_LIMIT_H

#include <stdint.h>

#include "vito/identity.h"

struct vito_login_limit;

/* `per_minute` failures at once, and as many a minute; 1 … 60000. NULL when out of memory. */
struct vito_login_limit *vito_login_limit_create(uint32_t per_minute);
void vito_login_limit_destroy(struct vito_login_limit *limit);

/* Whole seconds until he is listened to again; 0: now. `now_ms` is of a clock that never goes
 * back, here and below. */
uint32_t vito_login_limit_wait_s(const struct vito_login_limit *limit, uint64_t who,
                                 int64_t now_ms);

/* One failure more. */
void vito_login_limit_failed(struct vito_login_limit *limit, uint64_t who, int64_t now_ms);

/* The place of an address in numbers: the whole of an IPv4 address, the network (64 bits) of an
 * IPv6 one, since its holder has all the addresses in it. Nobody without the keyring can find two
 * places of one number. */
uint64_t vito_login_place(const struct vito_keyring *keyring, const char *address);

#endif
