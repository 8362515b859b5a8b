#include "bench/vendor_sim/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS_MAX = 3600000, SPEED_MAX_PER_MILLE = 1000000 };

static const char help[] =
    "usage: twin-vendor-sim [options]\n"
    "\n"
    "Speaks the wire APIs of vendors under /openai/v1, /cartesia and /tavus/v2, and keeps account\n"
    "of every call: GET /_calls, GET /_bill, POST /_fault, POST /_reset, GET and POST /_prices.\n"
    "\n"
    "  --port N          listen on this port (9090; 0: any, printed)\n"
    "  --host ADDRESS    listen on this address (127.0.0.1)\n"
    "  --latency-ms N    time before the first byte of an answer (0)\n"
    "  --token-ms N      time between two words of generated text (20)\n"
    "  --media-speed X   how much faster than speech audio is made (1)\n"
    "  --fault KIND:RATE let a share of the requests fail, 0 to 1; may be repeated. Kinds: "
    "refuse,\n"
    "                    rate_limit, out_of_money, server_error, hang, hang_mid, cut, garbage, "
    "slow\n"
    "  --id-base N       ids begin at the Nth million: runs with other bases have none in common "
    "(0)\n"
    "  --log FILE        append one line of JSON for each call\n"
    "  --help, --version\n";

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
read_number(const char *text, long max, long *number_out)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (!is_digit(*text) || *end != '\0' || number > max)
        return false;
    *number_out = number;
    return true;
}

static bool
read_u32(const char *text, uint32_t *number_out)
{
    long number;
    if (!read_number(text, MS_MAX, &number))
        return false;
    *number_out = (uint32_t)number;
    return true;
}

/* "60", "0.5": at most three places. */
static bool
read_speed(const char *text, uint32_t *per_mille_out)
{
    uint32_t per_mille = 0, place = 100;
    const char *at = text;
    for (; is_digit(*at) && per_mille <= SPEED_MAX_PER_MILLE; at++)
        per_mille = per_mille * 10 + (uint32_t)(*at - '0') * 1000;
    if (at == text)
        return false;
    if (*at == '.')
        for (at++; is_digit(*at) && place > 0; at++, place /= 10)
            per_mille += (uint32_t)(*at - '0') * place;
    if (*at != '\0' || per_mille == 0 || per_mille > SPEED_MAX_PER_MILLE)
        return false;
    *per_mille_out = per_mille;
    return true;
}

static bool
read_fault(const char *text, struct sim_faults *faults)
{
    struct sim_fault_rule rule;
    return sim_fault_parse(text, &rule) && sim_faults_add(faults, &rule);
}

static bool
read_port(const char *text, uint16_t *port_out)
{
    long port;
    if (!read_number(text, UINT16_MAX, &port))
        return false;
    *port_out = (uint16_t)port;
    return true;
}

enum letter {
    LETTER_PORT = 1,
    LETTER_HOST,
    LETTER_LATENCY,
    LETTER_TOKEN,
    LETTER_SPEED,
    LETTER_FAULT,
    LETTER_ID_BASE,
    LETTER_LOG,
    LETTER_HELP,
    LETTER_VERSION
};

static const struct option letters[] = {
    {"port", required_argument, NULL, LETTER_PORT},
    {"host", required_argument, NULL, LETTER_HOST},
    {"latency-ms", required_argument, NULL, LETTER_LATENCY},
    {"token-ms", required_argument, NULL, LETTER_TOKEN},
    {"media-speed", required_argument, NULL, LETTER_SPEED},
    {"fault", required_argument, NULL, LETTER_FAULT},
    {"id-base", required_argument, NULL, LETTER_ID_BASE},
    {"log", required_argument, NULL, LETTER_LOG},
    {"help", no_argument, NULL, LETTER_HELP},
    {"version", no_argument, NULL, LETTER_VERSION},
    {NULL, 0, NULL, 0},
};

/* Takes one option with its value. False when the value is none. */
static bool
take(struct sim_options *options, int letter, const char *value)
{
    switch (letter) {
    case LETTER_PORT:
        return read_port(value, &options->port);
    case LETTER_HOST:
        return (size_t)snprintf(options->host, sizeof(options->host), "%s", value) <
               sizeof(options->host);
    case LETTER_LATENCY:
        return read_u32(value, &options->latency_ms);
    case LETTER_TOKEN:
        return read_u32(value, &options->token_ms);
    case LETTER_SPEED:
        return read_speed(value, &options->media_speed_per_mille);
    case LETTER_FAULT:
        return read_fault(value, &options->faults);
    case LETTER_ID_BASE:
        return read_u32(value, &options->id_base);
    default:
        options->log_file = value;
        return true;
    }
}

static enum sim_options_result
complain(const char *what, const char *value)
{
    fprintf(stderr, "twin-vendor-sim: %s%s%s; see --help\n", what, value == NULL ? "" : ": ",
            value == NULL ? "" : value);
    return SIM_OPTIONS_WRONG;
}

enum sim_options_result
sim_options_read(int count, char **arguments, struct sim_options *options_out)
{
    struct sim_options options = {
        .host = "127.0.0.1", .port = 9090, .token_ms = 20, .media_speed_per_mille = 1000};
    optind = 1;
    opterr = 0;
    int letter, index = 0;
    while ((letter = getopt_long(count, arguments, "", letters, &index)) != -1) {
        if (letter == '?')
            return complain("unknown option, or one without its value", arguments[optind - 1]);
        if (letter == LETTER_HELP || letter == LETTER_VERSION) {
            fputs(letter == LETTER_HELP ? help : "twin-vendor-sim " TWIN_VERSION "\n", stdout);
            return SIM_OPTIONS_SHOWN;
        }
        if (!take(&options, letter, optarg)) {
            fprintf(stderr, "twin-vendor-sim: --%s cannot be \"%s\"; see --help\n",
                    letters[index].name, optarg);
            return SIM_OPTIONS_WRONG;
        }
    }
    if (optind < count)
        return complain("not an option", arguments[optind]);
    bool has_colons = strchr(options.host, ':') != NULL && options.host[0] != '[';
    snprintf(options.listen, sizeof(options.listen), has_colons ? "[%s]:%u" : "%s:%u", options.host,
             options.port);
    *options_out = options;
    return SIM_OPTIONS_RUN;
}
