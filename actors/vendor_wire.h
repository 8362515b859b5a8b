/*
 * actors/vendor_wire.h - the one door to vendors. Nothing else starts a vendor's transfer.
 *
 * A request goes out only on an open hold. Here the secret that an adapter named is put into the
 * request; it is wiped again before this returns.
 */
#ifndef ACTORS_VENDOR_WIRE_H
#define ACTORS_VENDOR_WIRE_H

#include "actors/adapter.h"
#include "actors/world.h"
#include "vito/hold.h"

/*
 * Starts one request to a provider.
 *
 *   hold      pays for it; its leg's id goes out as X-Request-Id
 *   provider  whose base URL the path is appended to
 *   transfer  as for net_http_port.start
 *   returns   RT_OK | RT_DENIED (no open hold) | RT_NOT_FOUND (the secret) | RT_INVALID (path,
 *             header) | what the port's start returned
 */
RT_MUST_USE enum rt_status vendor_wire_start(const struct world *world, struct rt_actor *owner,
                                             struct vito_hold *hold, const char *provider,
                                             const struct adapter_http *request, uint64_t transfer);

#endif
