/*
 * vito/json_slice.h - a part of a JSON text, word for word.
 */
#ifndef VITO_JSON_SLICE_H
#define VITO_JSON_SLICE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/compiler.h"

/*
 * Finds text[outer][inner] in the text of an object that was parsed without a problem before.
 *
 *   slice_out  the value as it stands there, without white space around it
 *   returns    false when there is no such member
 */
RT_MUST_USE bool vito_json_slice(const char *text, size_t size_bytes, const char *outer,
                                 const char *inner, const char **slice_out,
                                 size_t *slice_bytes_out);

#endif
