/*
 * bench/vendor_sim/fault.h - what shall go wrong, and how often.
 */
#ifndef BENCH_VENDOR_SIM_FAULT_H
#define BENCH_VENDOR_SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/random.h"

enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_REFUSE,       /* 401, as for a bad key */
    SIM_FAULT_RATE_LIMIT,   /* 429 and when to try again */
    SIM_FAULT_OUT_OF_MONEY, /* as the vendor says that our account is empty */
    SIM_FAULT_SERVER_ERROR, /* 500 */
    SIM_FAULT_HANG,         /* no answer, the connection stays open */
    SIM_FAULT_HANG_MID,     /* the answer stops in its middle */
    SIM_FAULT_CUT,          /* the connection closes in the middle of the answer */
    SIM_FAULT_GARBAGE,      /* 200, and nonsense */
    SIM_FAULT_SLOW,         /* everything takes ten times as long, and two seconds more */
    SIM_FAULT_COUNT,
};

enum { SIM_FAULTS_MAX = 32, SIM_RATE_ALWAYS = 1000000 };

struct sim_fault_rule {
    enum sim_fault fault;
    const char *vendor; /* static; NULL: all */
    uint32_t rate_per_million;
    int64_t count_left; /* -1: no limit */
};

/* Zeroed: nothing goes wrong. */
struct sim_faults {
    size_t count;
    struct sim_fault_rule rules[SIM_FAULTS_MAX];
};

/* The fault of that name, or SIM_FAULT_NONE. */
enum sim_fault sim_fault_named(const char *name);

/* Reads a share between 0 and 1, "0.05". False when it is something else. */
bool sim_fault_parse_rate(const char *text, uint32_t *rate_per_million_out);

/* Reads "KIND:RATE", for all vendors. False when it is something else. */
bool sim_fault_parse(const char *text, struct sim_fault_rule *rule_out);

/* Adds a rule. False when there are too many. */
bool sim_faults_add(struct sim_faults *faults, const struct sim_fault_rule *rule);

/* What goes wrong with one request: the first rule that chance says yes to. */
enum sim_fault sim_faults_pick(struct sim_faults *faults, const char *vendor,
                               struct rt_random *random);

#endif
