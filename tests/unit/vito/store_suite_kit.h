/*
 * tests/unit/vito/store_suite_kit.h - the requests that the cases of store_suite.h are written
 * with: to the tenant "cantor" in November 2026, each in a transaction of its own.
 */
#ifndef TESTS_UNIT_VITO_STORE_SUITE_KIT_H
#define TESTS_UNIT_VITO_STORE_SUITE_KIT_H

#include "tests/unit/vito/store_suite.h"

#define NOVEMBER_MS INT64_C(1793491200000) /* 1 November 2026, in UTC */
#define DECEMBER_MS INT64_C(1796083200000)
#define NOON_MS (NOVEMBER_MS + 20 * INT64_C(86400000) + 12 * INT64_C(3600000))

enum { SUITE_DOCUMENT_BYTES = 1 << 20 };

/* The answer's document of the last request, as a text; cut when it is longer. */
extern char suite_document[SUITE_DOCUMENT_BYTES];
extern uint32_t suite_document_bytes;

/* One request within a transaction that somebody else began. */
struct vito_stored suite_execute(const struct store_driver *driver,
                                 const struct vito_request *request);

/* One request in a transaction of its own. */
struct vito_stored suite_ask(const struct store_driver *driver, const struct vito_request *request);

struct vito_request suite_request_of(enum vito_op op, const char *tenant_id);

struct vito_stored suite_put_tenant(const struct store_driver *driver, const char *tenant_id,
                                    const char *json);

enum rt_status suite_get(const struct store_driver *driver, enum vito_op op, const char *tenant_id);

struct vito_stored suite_budget(const struct store_driver *driver, enum vito_op op, int64_t limit,
                                int64_t need, int64_t want);

struct vito_budget suite_open_month(const struct store_driver *driver, int64_t limit);

int64_t suite_grant(const struct store_driver *driver, int64_t need, int64_t want);

struct vito_request suite_leg_request(enum vito_op op, const char *id, int64_t held);

enum rt_status suite_open_leg(const struct store_driver *driver, const char *id, int64_t held);

enum rt_status suite_extend_leg(const struct store_driver *driver, const char *id, int64_t held);

struct vito_stored suite_settle_leg(const struct store_driver *driver, const char *id,
                                    int64_t cost);

/* The whole trail of "cantor" is in `suite_document`; returns how many records it has. */
int suite_list_audit(const struct store_driver *driver);

#endif
