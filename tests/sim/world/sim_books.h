/*
 * tests/sim/world/sim_books.h - the auditors: the invariants of money, checked from outside.
 *
 *   I1  what a vendor truly did never costs more than what is durably held for the leg, and so,
 *       by I2, than the limit; all that vendors did for a tenant is within its limit
 *   I2  what is reserved is the sum of open slices; posted + reserved stays within the limit, and
 *       every open leg's hold within its slice
 *   I3  each leg is in the audit trail once, at its true cost; at no less when a vendor cannot
 *       prove what it did
 *   I4  a turn that a client was told is done is in the ledger
 *   I5  no vendor works on once its leg is settled
 *   I6  when all is over, everything is settled and no slice is out
 *   I7  what a tenant refused is in its trail, by itself or counted, as often as it was refused
 */
#ifndef TESTS_SIM_WORLD_SIM_BOOKS_H
#define TESTS_SIM_WORLD_SIM_BOOKS_H

#include <sqlite3.h>

#include "tests/sim/world/sim_vendors.h"
#include "vito/store/sqlite/sqlite.h"

enum { SIM_FINDING_BYTES = 256 };

enum { SIM_LEDGER_RULES = 9 };

struct sim_books {
    struct vito_sqlite *database;
    struct sim_truths *truths;
    int64_t interaction_nusd;
    bool is_shared;     /* by gateways: one may settle what another one still carries out */
    bool upset;         /* actors die or stand still: a leg may cost more than its vendor's part */
    sqlite3_stmt *held; /* of a leg */
    sqlite3_stmt *done; /* turns of a session */
    sqlite3_stmt *rules[SIM_LEDGER_RULES];
    char finding[SIM_FINDING_BYTES]; /* the first thing that was wrong, or "" */
};

void sim_books_open(struct sim_books *books);
void sim_books_close(struct sim_books *books);

/* A vendor has done more for a leg. */
void sim_books_check_vendor(struct sim_books *books, const struct sim_truth *truth);

/* A client has been told that so many turns of a session are done. */
void sim_books_check_done(struct sim_books *books, const char *session_id, unsigned turns);

/* Notes what was found, if it is the first thing. */
RT_PRINTF(2, 3)
void sim_books_find(struct sim_books *books, const char *format, ...);

void sim_books_check_ledger(struct sim_books *books);
void sim_books_check_end(struct sim_books *books);

/* So many refusals were told to clients of a gateway that lived from first to last. */
void sim_books_check_denied(struct sim_books *books, unsigned denied);

#endif
