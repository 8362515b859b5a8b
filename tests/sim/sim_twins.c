/*
 * The twin's actors in the simulated world: tenants, sessions and vendor actors as they run in the
 * gateway, over the embedded store's SQL, with clients, vendors, a store, memory and a machine
 * that misbehave by the dice (world/sim_run.h). The auditors of world/sim_books.h look at each
 * thing a vendor does and at each commit.
 *
 *   sim_twins [--seeds COUNT] [--from SEED] [--seed N] [--nodes N] [--once-failed FILE]
 *             [--no-controls] [--faults LIST] [--dump FILE] [--each-request STEP]
 *             [--failing-request N]
 *
 * With --nodes up to so many gateways share one store (world/sim_fleet.h): the seed says how many.
 * Planted bugs, one an invariant, must be found.
 *
 * With --each-request every seed is run once to count the actors' requests for memory, and then
 * again and again, and each time another one of them fails: the first, the one STEP after it, …
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/pool.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/sim/world/sim_run.h"
#include "tests/stress/stress.h"

enum {
    PLANTED_SEEDS = 200,  /* within which a planted bug must be found */
    PLANTED_NODES = 1000, /* the same with several gateways: it takes more to come together */
    TWICE_EVERY = 10,     /* so many seeds: one is run again, and must go the same way */
    ENOUGH_SEEDS = 200,   /* to have seen everything */
};

static const struct sim_plant plants[] = {
    {"a vendor that overspends", "I1", STORE_SOUND, VENDOR_OVERSPENDS},
    {"a store that forgets", "I1", STORE_FORGETS, VENDOR_SOUND},
    {"grants that are not reserved", "I2", STORE_GRANTS_FREE, VENDOR_SOUND},
    {"a vendor that understates", "I3", STORE_SOUND, VENDOR_UNDERSTATES},
    {"a store that forgets settlements", "I4", STORE_FORGETS_SETTLES, VENDOR_SOUND},
    {"a vendor that does not stop", "I5", STORE_SOUND, VENDOR_GOES_ON},
    {"a store that forgets returns", "I6", STORE_FORGETS_RETURNS, VENDOR_SOUND},
    {"a store that says nothing", "answers", STORE_SAYS_NOTHING, VENDOR_SOUND},
};

/* And these one, that lives from first to last. */
static const struct sim_plant plants_alone[] = {
    {"a store that forgets refusals", "I7", STORE_FORGETS_RECORDS, VENDOR_SOUND},
    {"a room that is held up like a stream", "I1", STORE_SOUND, VENDOR_HIDES_ITS_CLOCK},
};

/* These take several gateways. */
static const struct sim_plant plants_between[] = {
    {"a fence that nobody looks at", "I2", STORE_FENCES_NOBODY, VENDOR_SOUND},
    {"a reaper that gives back what legs hold", "I2", STORE_REAPS_TOO_MUCH, VENDOR_SOUND},
    {"a reaper that settles nothing", "I6", STORE_REAPS_NOBODY, VENDOR_SOUND},
    {"a gateway that ignores that its lease is over", "I1", STORE_LINK_PRETENDS, VENDOR_SOUND},
    {"a room that two gateways hold money for", "I2", STORE_ADOPTS_UNCHECKED, VENDOR_SOUND},
    {"a room that goes on for another gateway", "I5", STORE_SOUND, VENDOR_HAS_TWO},
    {"a room that nothing is held for while nobody drives it", "I1", STORE_TAKES_OVER_AT_ONCE,
     VENDOR_SOUND},
    {"news that are lost, and nobody looks", "news", STORE_LINK_DEAF, VENDOR_SOUND},
};

struct options {
    uint64_t from, seeds;
    uint64_t each_request;   /* 0: not so */
    const char *once_failed; /* a file of seeds to run first, or NULL */
    struct sim_run_options run;
    bool controls;
};

/* What was seen in all runs. */
struct sum {
    struct sim_seen seen;
    unsigned happened[CHAOS_KIND_COUNT];
    struct sim_fleet_seen fleet;
    unsigned outlived;
    uint64_t seeds;
};

static void
add_seen(struct sum *sum, const struct sim_run *run)
{
    sum->seen.answers += run->seen.answers;
    sum->seen.refusals += run->seen.refusals;
    sum->seen.denied += run->seen.denied;
    sum->seen.upgrades += run->seen.upgrades;
    sum->seen.cut += run->seen.cut;
    sum->seen.resumes += run->seen.resumes;
    sum->seen.resumed += run->seen.resumed;
    for (unsigned i = 0; i < FRAME_TYPE_COUNT; i++)
        sum->seen.frames[i] += run->seen.frames[i];
    for (unsigned i = 0; i < CHAOS_KIND_COUNT; i++)
        sum->happened[i] += run->happened[i];
    sum->fleet.gateways += run->fleet.gateways;
    sum->fleet.crashes += run->fleet.crashes;
    sum->fleet.partitions += run->fleet.partitions;
    sum->fleet.pauses += run->fleet.pauses;
    sum->fleet.outages += run->fleet.outages;
    sum->fleet.fenced += run->fleet.fenced;
    sum->fleet.reaped += run->fleet.reaped;
    sum->fleet.adopted += run->fleet.adopted;
    sum->fleet.alone += run->fleet.alone;
    sum->fleet.alone_late += run->fleet.alone_late;
    sum->fleet.recalled += run->fleet.recalled;
    sum->fleet.changes += run->fleet.changes;
    sum->fleet.lost_news += run->fleet.lost_news;
    sum->outlived += run->outlived;
    sum->seeds++;
}

/* The same of what happens between gateways. */
static void
check_fleet_seen(const struct sim_fleet_seen *seen, bool enough)
{
    printf("%u gateways, %u crashes, %u partitions, %u pauses, %u outages; %u transactions fenced, "
           "%u gateways settled by others, %u rooms adopted, %u that had gone on alone, %u of them "
           "for longer than is held for; %u recalls; %u keys changed, news of them lost %u times\n",
           seen->gateways, seen->crashes, seen->partitions, seen->pauses, seen->outages,
           seen->fenced, seen->reaped, seen->adopted, seen->alone, seen->alone_late, seen->recalled,
           seen->changes, seen->lost_news);
    CHECK(!enough || (seen->crashes > 0 && seen->partitions > 0 && seen->pauses > 0 &&
                      seen->outages > 0 && seen->fenced > 0 && seen->reaped > 0 &&
                      seen->adopted > 0 && seen->alone > seen->alone_late && seen->recalled > 0 &&
                      seen->changes > 0 && seen->lost_news > 0));
}

/* A run in which nothing happens proves nothing. */
static void
check_seen(const struct sum *sum, const struct sim_run_options *options)
{
    bool enough = sum->seeds >= ENOUGH_SEEDS && options->faults == NULL;
    const struct sim_seen *seen = &sum->seen;
    printf("%u turns over HTTP, %u refusals, %u by tenants, %u sessions, %u of %u resumed, %u cut "
           "for cost; "
           "%u kills, %u stalls, %u floods, %u pauses, %u clock steps, %lu failed allocations\n",
           seen->answers, seen->refusals, seen->denied, seen->upgrades, seen->resumed,
           seen->resumes, seen->cut, sum->happened[CHAOS_KILL], sum->happened[CHAOS_STALL],
           sum->happened[CHAOS_FLOOD], sum->happened[CHAOS_PAUSE], sum->happened[CHAOS_CLOCK],
           sim_memory_failures());
    if (options->nodes > 1)
        check_fleet_seen(&sum->fleet, enough);
    else
        printf("%u legs outlived that the store was away\n", sum->outlived);
    if (!enough)
        return;
    CHECK(options->nodes > 1 || sum->outlived > 0);
    CHECK(seen->answers > 0 && seen->refusals > 0 && seen->denied > 0 && seen->upgrades > 0 &&
          seen->cut > 0);
    CHECK(seen->resumed > 0 && seen->resumed < seen->resumes);
    CHECK(sim_memory_failures() > 0);
    for (unsigned i = 0; i < CHAOS_KIND_COUNT; i++)
        CHECK(sum->happened[i] > 0);
    for (unsigned i = 0; i < FRAME_TYPE_COUNT; i++)
        CHECK(seen->frames[i] > 0);
}

static void
tell_again(uint64_t seed, const struct sim_run_options *options)
{
    fprintf(stderr, "again: script/sim --seed %lu", seed);
    if (options->nodes > 1)
        fprintf(stderr, " --nodes %u", options->nodes);
    fprintf(stderr, options->faults == NULL ? "\n" : " --faults %s\n", options->faults);
}

static bool
run_one(struct sim_run *run, uint64_t seed, const struct sim_run_options *options, struct sum *sum)
{
    uint64_t hash = sim_run_seed(run, seed, NULL, options);
    if (run->books.finding[0] != '\0') {
        fprintf(stderr, "seed %lu: %s\n", seed, run->books.finding);
        tell_again(seed, options);
        return false;
    }
    add_seen(sum, run);
    if (seed % TWICE_EVERY == 0 && sim_run_seed(run, seed, NULL, options) != hash) {
        fprintf(stderr, "seed %lu: another trace the second time\n", seed);
        tell_again(seed, options);
        return false;
    }
    return true;
}

/* Whatever request for memory fails, money is right and everybody gets an answer. */
static bool
run_each_request(struct sim_run *run, uint64_t seed, const struct options *options)
{
    struct sim_run_options failing = options->run;
    sim_run_seed(run, seed, NULL, &failing);
    uint64_t requests = sim_memory_requests(), failed = 0;
    for (uint64_t n = 1; n <= requests; n += options->each_request, failed++) {
        failing.failing_request = n;
        sim_run_seed(run, seed, NULL, &failing);
        if (run->books.finding[0] == '\0')
            continue;
        fprintf(stderr, "seed %lu, without memory for request %lu of %lu: %s\n", seed, n, requests,
                run->books.finding);
        return false;
    }
    printf("seed %lu: each of %lu requests for memory, of %lu, failed once\n", seed, failed,
           requests);
    return requests > 0;
}

/* A seed a line; '#' begins a comment. */
static bool
run_file(struct sim_run *run, const struct options *options, struct sum *sum)
{
    char line[256];
    bool ok = true;
    FILE *file = fopen(options->once_failed, "r");
    if (file == NULL) {
        fprintf(stderr, "sim_twins: cannot read %s\n", options->once_failed);
        return false;
    }
    while (ok && fgets(line, sizeof(line), file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        ok = end == line || run_one(run, seed, &options->run, sum);
    }
    fclose(file);
    return ok;
}

static void
tell_progress(const struct options *options, uint64_t seed, time_t *told)
{
    time_t now = time(NULL);
    if (now - *told < 10)
        return;
    *told = now;
    fprintf(stderr, "sim: %lu of %lu seeds\n", seed - options->from, options->seeds);
}

static bool
run_all(struct sim_run *run, const struct options *options)
{
    struct sum sum = {0};
    time_t told = time(NULL);
    if (options->once_failed != NULL && !run_file(run, options, &sum))
        return false;
    for (uint64_t seed = options->from; seed < options->from + options->seeds; seed++) {
        if (options->each_request > 0 ? !run_each_request(run, seed, options)
                                      : !run_one(run, seed, &options->run, &sum))
            return false;
        tell_progress(options, seed, &told);
    }
    if (options->each_request == 0)
        check_seen(&sum, &options->run);
    return true;
}

static bool
is_found(struct sim_run *run, const struct sim_plant *plant, const struct sim_run_options *options)
{
    uint64_t seeds = options->nodes > 1 ? PLANTED_NODES : PLANTED_SEEDS;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        sim_run_seed(run, seed, plant, options);
        if (strncmp(run->books.finding, plant->finding, strlen(plant->finding)) != 0)
            continue;
        printf("planted: %s: found by seed %lu: %s\n", plant->name, seed, run->books.finding);
        return true;
    }
    fprintf(stderr, "planted: %s: not found as %s by %lu seeds\n", plant->name, plant->finding,
            seeds);
    return false;
}

static bool
run_controls(struct sim_run *run, const struct sim_run_options *options)
{
    for (size_t i = 0; i < RT_COUNT_OF(plants); i++)
        if (!is_found(run, &plants[i], options))
            return false;
    for (size_t i = 0; i < RT_COUNT_OF(plants_alone) && options->nodes <= 1; i++)
        if (!is_found(run, &plants_alone[i], options))
            return false;
    for (size_t i = 0; i < RT_COUNT_OF(plants_between) && options->nodes > 1; i++)
        if (!is_found(run, &plants_between[i], options))
            return false;
    return true;
}

static bool
read_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){.from = 1, .seeds = 1000, .controls = true};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--no-controls") == 0) {
            options->controls = false;
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0)
            options->seeds = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--from") == 0)
            options->from = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            *options = (struct options){
                .from = strtoull(value, NULL, 10), .seeds = 1, .run = options->run};
        else if (strcmp(argv[i], "--each-request") == 0)
            options->each_request = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--failing-request") == 0)
            options->run.failing_request = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--once-failed") == 0)
            options->once_failed = value;
        else if (strcmp(argv[i], "--faults") == 0)
            options->run.faults = value;
        else if (strcmp(argv[i], "--nodes") == 0)
            options->run.nodes = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "--dump") == 0)
            options->run.dump = value;
        else
            return false;
        i++;
    }
    return true;
}

int
main(int argc, char **argv)
{
    struct options options;
    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: sim_twins [--seeds COUNT] [--from SEED] [--seed N] [--nodes N] "
                        "[--once-failed FILE] [--no-controls] [--faults LIST] [--dump FILE] "
                        "[--each-request STEP] [--failing-request N]\n");
        return 2;
    }
    struct sim_run *run = malloc(sizeof(*run));
    CHECK(run != NULL && sodium_init() >= 0);
    bool ok = run_all(run, &options) && (!options.controls || run_controls(run, &options.run));
    if (ok)
        printf("%lu seeds, books in order after each step\n", options.seeds);
    free(run);
    rt_pool_thread_end();
    return ok ? 0 : 1;
}
