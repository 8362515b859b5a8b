/*
 * vito/store/postgres/arguments.h - values on their way to a prepared statement, in the binary
 * format: single ones, and arrays for unnest.
 *
 * Source: PostgreSQL 15, src/backend/utils/adt/arrayfuncs.c (array_recv), read 2026-11.
 */
#ifndef VITO_STORE_POSTGRES_ARGUMENTS_H
#define VITO_STORE_POSTGRES_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The types we send, by their numbers in pg_type. */
enum vito_pg_type {
    VITO_PG_BYTEA = 17,
    VITO_PG_I64 = 20,
    VITO_PG_TEXT = 25,
    VITO_PG_TID = 27, /* where a row is */
    VITO_PG_JSON = 114,
};

/* A place, as it is sent: a block and a number within. */
enum { VITO_PG_TID_BYTES = 6 };

/* Grows and is used again; zeroed is empty. */
struct vito_pg_array {
    char *bytes;
    size_t size_bytes, room_bytes;
    uint32_t count;
    bool has_null;
    bool failed; /* out of memory */
};

void vito_pg_array_begin(struct vito_pg_array *array, enum vito_pg_type type);
void vito_pg_array_add_i64(struct vito_pg_array *array, int64_t value);
void vito_pg_array_add_bytes(struct vito_pg_array *array, const void *bytes, size_t size_bytes);
/* NULL and "" are null. */
void vito_pg_array_add_text(struct vito_pg_array *array, const char *text);
void vito_pg_array_add_null(struct vito_pg_array *array);
/* Bytes as they are: for texts that are built up in the same memory. */
void vito_pg_array_add_raw(struct vito_pg_array *array, const void *bytes, size_t size_bytes);
void vito_pg_array_deinit(struct vito_pg_array *array);

enum { VITO_PG_ARGUMENTS_MAX = 20 };

struct vito_pg_arguments {
    int count;
    const char *values[VITO_PG_ARGUMENTS_MAX];
    int sizes[VITO_PG_ARGUMENTS_MAX];
    int formats[VITO_PG_ARGUMENTS_MAX]; /* 1: binary */
    uint64_t numbers[VITO_PG_ARGUMENTS_MAX];
    bool failed;
};

/* What is added must live until the statement is sent. */
void vito_pg_add_i64(struct vito_pg_arguments *arguments, int64_t value);
void vito_pg_add_text(struct vito_pg_arguments *arguments, const char *text); /* "" is null */
void vito_pg_add_bytes(struct vito_pg_arguments *arguments, const void *bytes, size_t size_bytes);
void vito_pg_add_array(struct vito_pg_arguments *arguments, struct vito_pg_array *array);

#endif
