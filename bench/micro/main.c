/*
 * twin-bench-micro: what the actor machine costs, a message, an actor and a timer at a time.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/micro/micro.h"

enum { ROUNDS_MAX = 100, PERCENT_MAX = 10000 };

static const char help[] =
    "usage: twin-bench-micro [options]\n"
    "\n"
    "Runs each workload in several rounds, in turn, each in a process of its own, and prints the\n"
    "median and the range of each figure.\n"
    "\n"
    "  --only NAME[,NAME…]  these workloads alone (--list tells which there are)\n"
    "  --rounds N           rounds of each (5)\n"
    "  --percent N          of the usual amount of work (100)\n"
    "  --workers N          scheduler threads (2)\n"
    "  --json               one JSON object instead of the table\n"
    "  --list, --help, --version\n";

struct options {
    struct micro_setup setup;
    const char *only;
    unsigned rounds;
    bool json;
};

struct found {
    double values[MICRO_FIGURES_MAX][ROUNDS_MAX];
};

static bool
is_wanted(const struct options *options, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = options->only; at != NULL && *at != '\0';) {
        size_t word = strcspn(at, ",");
        if (word == length && strncmp(at, name, length) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return options->only == NULL;
}

/* One round in a child, which hands its figures back through a pipe. */
static void
run_round(const struct options *options, const struct micro_workload *workload,
          struct micro_figures *figures_out)
{
    int ends[2];
    if (pipe(ends) != 0)
        micro_fail("no pipe");
    pid_t child = fork();
    if (child < 0)
        micro_fail("cannot fork");
    if (child == 0) {
        struct micro_figures figures = {{0}};
        workload->run(&options->setup, &figures);
        _exit(write(ends[1], &figures, sizeof(figures)) == sizeof(figures) ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], figures_out, sizeof(*figures_out));
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (got != sizeof(*figures_out) || status != 0) {
        fprintf(stderr, "twin-bench-micro: %s did not end well\n", workload->name);
        exit(1);
    }
}

static void
print_json(const struct micro_workload *workload, struct found *found, unsigned rounds)
{
    printf("\"%s\":{", workload->name);
    for (unsigned i = 0; i < MICRO_FIGURES_MAX && workload->names[i] != NULL; i++) {
        double median = micro_percentile(found->values[i], rounds, 50);
        printf("%s\"%s\":%.4g,\"%s_min\":%.4g,\"%s_max\":%.4g", i == 0 ? "" : ",",
               workload->names[i], median, workload->names[i], found->values[i][0],
               workload->names[i], found->values[i][rounds - 1]);
    }
    printf("}");
}

static void
print_table(const struct micro_workload *workload, struct found *found, unsigned rounds)
{
    printf("%s: %s\n", workload->name, workload->what);
    for (unsigned i = 0; i < MICRO_FIGURES_MAX && workload->names[i] != NULL; i++) {
        double median = micro_percentile(found->values[i], rounds, 50);
        printf("  %-12s %10.4g   (%.4g to %.4g)\n", workload->names[i], median, found->values[i][0],
               found->values[i][rounds - 1]);
    }
}

static void
run_all(const struct options *options)
{
    struct found *found = calloc(micro_workload_count, sizeof(*found));
    if (found == NULL)
        micro_fail("out of memory");
    for (unsigned round = 0; round < options->rounds; round++)
        for (unsigned i = 0; i < micro_workload_count; i++) {
            struct micro_figures figures;
            if (!is_wanted(options, micro_workloads[i].name))
                continue;
            run_round(options, &micro_workloads[i], &figures);
            for (unsigned j = 0; j < MICRO_FIGURES_MAX; j++)
                found[i].values[j][round] = figures.values[j];
        }
    const char *between = "";
    if (options->json)
        printf("{");
    for (unsigned i = 0; i < micro_workload_count; i++) {
        if (!is_wanted(options, micro_workloads[i].name))
            continue;
        printf("%s", between);
        between = options->json ? "," : "";
        (options->json ? print_json : print_table)(&micro_workloads[i], &found[i], options->rounds);
    }
    if (options->json)
        printf("}\n");
    free(found);
}

static void
wrong(const char *what, const char *value)
{
    fprintf(stderr, "twin-bench-micro: %s \"%s\"; try --help\n", what, value);
    exit(2);
}

static unsigned
read_count(const char *option, const char *text, unsigned max)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 1 || number > (long)max)
        wrong(option, text);
    return (unsigned)number;
}

static void
check_names(const struct options *options)
{
    char name[64];
    for (const char *at = options->only; at != NULL && *at != '\0';) {
        size_t word = strcspn(at, ",");
        snprintf(name, sizeof(name), "%.*s", (int)word, at);
        bool known = false;
        for (unsigned i = 0; i < micro_workload_count; i++)
            known |= strcmp(name, micro_workloads[i].name) == 0;
        if (!known)
            wrong("no workload is called", name);
        at += word + (at[word] == ',');
    }
}

static void
list(void)
{
    for (unsigned i = 0; i < micro_workload_count; i++)
        printf("%-10s %s\n", micro_workloads[i].name, micro_workloads[i].what);
}

enum letter {
    LETTER_ONLY = 1,
    LETTER_ROUNDS,
    LETTER_PERCENT,
    LETTER_WORKERS,
    LETTER_JSON,
    LETTER_LIST,
    LETTER_HELP,
    LETTER_VERSION
};

static const struct option letters[] = {
    {"only", required_argument, NULL, LETTER_ONLY},
    {"rounds", required_argument, NULL, LETTER_ROUNDS},
    {"percent", required_argument, NULL, LETTER_PERCENT},
    {"workers", required_argument, NULL, LETTER_WORKERS},
    {"json", no_argument, NULL, LETTER_JSON},
    {"list", no_argument, NULL, LETTER_LIST},
    {"help", no_argument, NULL, LETTER_HELP},
    {"version", no_argument, NULL, LETTER_VERSION},
    {NULL, 0, NULL, 0},
};

static void
take(struct options *options, int letter)
{
    switch (letter) {
    case LETTER_ONLY:
        options->only = optarg;
        break;
    case LETTER_ROUNDS:
        options->rounds = read_count("cannot use --rounds", optarg, ROUNDS_MAX);
        break;
    case LETTER_PERCENT:
        options->setup.percent = read_count("cannot use --percent", optarg, PERCENT_MAX);
        break;
    case LETTER_WORKERS:
        options->setup.workers = read_count("cannot use --workers", optarg, RT_WORKERS_MAX);
        break;
    case LETTER_JSON:
        options->json = true;
        break;
    case LETTER_LIST:
        list();
        exit(0);
    case LETTER_HELP:
        fputs(help, stdout);
        exit(0);
    case LETTER_VERSION:
        puts("twin-bench-micro " TWIN_VERSION);
        exit(0);
    default: /* getopt_long() has said what is wrong */
        exit(2);
    }
}

int
main(int count, char **arguments)
{
    struct options options = {.setup = {.workers = 2, .percent = 100}, .rounds = 5};
    int letter;
    while ((letter = getopt_long(count, arguments, "", letters, NULL)) != -1)
        take(&options, letter);
    if (optind < count)
        wrong("cannot use", arguments[optind]);
    check_names(&options);
    run_all(&options);
    return 0;
}
