/*
 * tests/sim/world/sim_books.h - the auditors: the invariants of money, checked from outside.
 *
 *   I1  what a vendor truly did never costs more than what is durably held for the leg, and so,
 *       by I2, than the limit
 *   I2  what is reserved is the sum of open slices; posted + reserved stays within the limit, and
 *       every open leg's hold within its slice
 *   I3  each leg is in the audit trail once, at its true cost; at no less when a vendor cannot
 *       prove what it did
 *   I6  when all is over, everything is settled and no slice is out
 */
#ifndef TESTS_SIM_WORLD_SIM_BOOKS_H
#define TESTS_SIM_WORLD_SIM_BOOKS_H

#include <sqlite3.h>

#include "tests/sim/world/sim_vendors.h"
#include "vito/store/sqlite/sqlite.h"

enum { SIM_FINDING_BYTES = 256 };

struct sim_books {
    struct vito_sqlite *database;
    struct sim_vendors *vendors;
    int64_t interaction_nusd;
    sqlite3_stmt *held;              /* of a leg */
    char finding[SIM_FINDING_BYTES]; /* the first thing that was wrong, or "" */
};

void sim_books_open(struct sim_books *books);
void sim_books_close(struct sim_books *books);

/* A vendor has done more for a leg. */
void sim_books_check_vendor(struct sim_books *books, const struct sim_truth *truth);

void sim_books_check_ledger(struct sim_books *books);
void sim_books_check_end(struct sim_books *books);

#endif
