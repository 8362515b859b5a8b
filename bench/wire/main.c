/*
 * twin-bench-wire: the command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/wire/wire.h"

static const char help[] =
    "usage: twin-bench-wire serve [--port N]\n"
    "       twin-bench-wire carry [--port N]\n"
    "       twin-bench-wire load  --port N [--path /] [--bearer KEY] [--connections 100]\n"
    "                             [--depth 1] [--size 64] [--ms 1000] [--warm-up-ms 200]\n"
    "                             [--pid SERVER] [--text MESSAGE --answer TEXT]\n"
    "       twin-bench-wire pace  --port N --every-us N [as load, but for --depth and --pid]\n"
    "       twin-bench-wire idle  --port N [--path /] [--bearer KEY] [--connections 100]\n"
    "       twin-bench-wire stay  --port N --answer TEXT [as idle]\n"
    "\n"
    "Both ends of a WebSocket on 127.0.0.1, for bench/edge: `serve` echoes and is the yardstick,\n"
    "`carry` keeps connections in libwebsockets and does nothing else,\n"
    "`load` keeps --depth messages of --size bytes under way on each connection and prints how\n"
    "many came back, `pace` sends one on each connection every --every-us and prints how long the\n"
    "answers took from when each was due, `idle` opens connections and keeps them until its input\n"
    "ends, `stay` reads what they bring, too, and ends when each has had its answer or was "
    "closed.\n"
    "An exchange ends with a frame, or with the frame that has --answer in it.\n"
    "Exit codes: 0 done, 1 failed, 2 usage.\n";

static const struct option names[] = {
    {"port", required_argument, NULL, 'p'},     {"path", required_argument, NULL, 'P'},
    {"bearer", required_argument, NULL, 'b'},   {"connections", required_argument, NULL, 'c'},
    {"depth", required_argument, NULL, 'd'},    {"size", required_argument, NULL, 's'},
    {"ms", required_argument, NULL, 'm'},       {"warm-up-ms", required_argument, NULL, 'w'},
    {"every-us", required_argument, NULL, 'e'}, {"pid", required_argument, NULL, 'i'},
    {"text", required_argument, NULL, 't'},     {"answer", required_argument, NULL, 'a'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

/* A whole number up to `max`. False, and said so, when the text is none. */
static bool
read_number(const char *text, unsigned max, unsigned *value_out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > max) {
        fprintf(stderr, "twin-bench-wire: %s is not a number up to %u\n", text, max);
        return false;
    }
    *value_out = (unsigned)value;
    return true;
}

static bool
read_text_option(struct wire_options *options, int name)
{
    const char **to = name == 'P'   ? &options->path
                      : name == 'b' ? &options->bearer
                      : name == 't' ? &options->text
                      : name == 'a' ? &options->answer
                                    : NULL;
    if (to != NULL)
        *to = optarg;
    return to != NULL;
}

static bool
read_option(struct wire_options *options, int name)
{
    unsigned port;
    switch (name) {
    case 'p':
        if (!read_number(optarg, UINT16_MAX, &port))
            return false;
        options->port = (uint16_t)port;
        return true;
    case 'c':
        return read_number(optarg, 20000, &options->connections);
    case 'd':
        return read_number(optarg, 1024, &options->depth);
    case 's':
        return read_number(optarg, WIRE_BUFFER_BYTES / 2, &options->size_bytes);
    case 'm':
        return read_number(optarg, 600000, &options->ms);
    case 'w':
        return read_number(optarg, 600000, &options->warm_up_ms);
    case 'e':
        return read_number(optarg, 60000000, &options->every_us);
    case 'i':
        return read_number(optarg, 1U << 30, &options->pid);
    default:
        return read_text_option(options, name);
    }
}

int
main(int argc, char **argv)
{
    struct wire_options options = {.host = "127.0.0.1",
                                   .path = "/",
                                   .connections = 100,
                                   .depth = 1,
                                   .size_bytes = 64,
                                   .ms = 1000,
                                   .warm_up_ms = 200};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (name == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (name == '?' || !read_option(&options, name))
            return 2;
    }
    const char *command = optind + 1 == argc ? argv[optind] : "";
    if (strcmp(command, "serve") == 0)
        return wire_serve(&options);
    if (strcmp(command, "carry") == 0)
        return wire_carry(&options);
    if (strcmp(command, "load") == 0)
        return wire_load(&options);
    if (strcmp(command, "pace") == 0)
        return wire_pace(&options);
    if (strcmp(command, "idle") == 0)
        return wire_idle(&options);
    if (strcmp(command, "stay") == 0)
        return wire_stay(&options);
    fputs(help, stderr);
    return 2;
}
