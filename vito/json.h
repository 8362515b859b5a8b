/*
 * vito/json.h - JSON from outside, checked before cJSON sees it.
 *
 * cJSON takes invalid UTF-8, cuts strings at \u0000 and recurses as deep as it is led; so size,
 * depth and characters are checked first.
 */
#ifndef VITO_JSON_H
#define VITO_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

struct cJSON;

enum { VITO_JSON_BYTES_MAX = 64 * 1024, VITO_JSON_DEPTH_MAX = 16 };

/*
 * Parses one document.
 *
 *   problem_out  on RT_INVALID and RT_TOO_BIG: what is wrong, a static text
 *   returns      RT_OK | RT_INVALID (also when out of memory: cJSON does not say) | RT_TOO_BIG
 *   ownership    the caller's, by cJSON_Delete()
 *   threads      any
 */
RT_MUST_USE enum rt_status vito_json_parse(const char *text, size_t size_bytes,
                                           struct cJSON **json_out, const char **problem_out);

/* The same for what was bounded in size elsewhere, with `depth_max` levels of its own (cJSON
 * recurses once a level); and a number that no double holds is infinite. */
RT_MUST_USE enum rt_status vito_json_parse_within(const char *text, size_t size_bytes,
                                                  int depth_max, struct cJSON **json_out,
                                                  const char **problem_out);

/* From now on cJSON's memory comes from runtime/pool.h, so that documents are read and written
 * without malloc. Before the first document, and while there is one thread. What cJSON prints is
 * given back by cJSON_free(), never by free(). */
void vito_json_use_pool(void);

/* Whether an object in the document has two members of one name: readers differ in which of them
 * they take. Quadratic in the members of one object; for documents of a few kilobytes. */
bool vito_json_repeats_a_name(const struct cJSON *json);

#endif
