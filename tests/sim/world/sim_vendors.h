/*
 * tests/sim/world/sim_vendors.h - simulated vendors behind the adapter port, and the truth about
 * them.
 *
 * A vendor generates text tokens or media in virtual time and knows what it has generated: the
 * oracle that the ledger is held against. By the dice it refuses, hangs, cuts its stream, is slow
 * to stop, repeats its reports, and reports late.
 */
#ifndef TESTS_SIM_WORLD_SIM_VENDORS_H
#define TESTS_SIM_WORLD_SIM_VENDORS_H

#include "actors/adapter.h"
#include "runtime/sim.h"
#include "vito/account.h"

enum { SIM_LEGS_MAX = 20000 };

/* What a vendor truly did for one leg. */
struct sim_truth {
    char leg_id[VITO_ID_BYTES];
    char tenant_id[VITO_TENANT_ID_BYTES];
    enum vito_mode mode;
    int64_t tokens, media_ms; /* tokens: the prompt's too */
    bool lost;     /* some of an answer's text never left the gateway: there was no memory for it */
    bool unproven; /* it did not obey, or said nothing: the ledger may have more */
    bool is_ended; /* whoever it was that stopped it */
    const struct sim_vendors *costs_for; /* a gateway's room: it costs by the clock; or NULL */
    uint64_t uncovered_ns; /* so it does, and nobody reports, since then by that gateway's clock; */
    uint64_t alone_ns;     /* and nobody drives it, since then by the world's clock; or 0 */
};

struct sim_vendor_faults {
    unsigned refuse, hang, cut, slow_stop, unstoppable, repeat, late; /* per mille of legs */
    uint32_t delay_max_ms; /* of what a vendor sends, beyond its pace */
};

enum sim_vendor_bug {
    VENDOR_SOUND,
    VENDOR_OVERSPENDS,      /* ignores that a leg is not covered */
    VENDOR_UNDERSTATES,     /* forgets to report some of what it does */
    VENDOR_GOES_ON,         /* says that it has stopped, and has not */
    VENDOR_HAS_TWO,         /* a room that one gateway ended goes on for another one */
    VENDOR_HIDES_ITS_CLOCK, /* its sheet does not say that a room costs on while it waits */
};

/* All that vendors ever did in a run. */
struct sim_truths {
    int64_t token_1k_nusd;                                           /* of every tenant */
    void (*generated)(void *context, const struct sim_truth *truth); /* it has done more */
    void *context;
    const struct rt_sim *clock; /* the world's, when there are several gateways */
    uint32_t takeover_ms;       /* when one of them dies, at most */
    unsigned alone, alone_late; /* rooms that were found and ended; not by then */
    struct sim_truth list[SIM_LEGS_MAX];
    unsigned count;
};

/* The vendors as one gateway reaches them. */
struct sim_vendors {
    struct rt_sim *sim;
    struct sim_truths *truths;
    struct sim_vendor_faults faults;
    enum sim_vendor_bug bug;
    bool rooms_run_on;         /* video costs by the clock, also while it is not covered */
    struct sim_truth *haunted; /* by VENDOR_GOES_ON: the last one that was said to have stopped */
    struct sim_truth nothing;  /* of rooms that were asked for and never made */
};

/* Prices as the sheets have them. */
#define SIM_MINUTE_VOICE_NUSD INT64_C(45000000)
#define SIM_MINUTE_VIDEO_NUSD INT64_C(370000000)

/* What the vendor will bill for a leg, without the tenant's own price of a turn. Its own
 * arithmetic: it is to check the gateway's. */
int64_t sim_truth_nusd(const struct sim_truths *truths, const struct sim_truth *truth);

/* The gateway dies: its rooms go on. They cost what they do until another one has ended them; or,
 * when nobody could within the time that is held for, until then, for that is nobody's fault. */
void sim_vendors_abandon(const struct sim_vendors *vendors);

struct adapter_port sim_vendors_port(struct sim_vendors *vendors);

#endif
