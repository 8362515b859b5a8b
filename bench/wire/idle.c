/*
 * The client that only stays.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/wire/wire.h"

int
wire_idle(const struct wire_options *options)
{
    for (unsigned i = 0; i < options->connections; i++)
        if (wire_open(options, i) < 0)
            return 1;
    printf("open %u\n", options->connections);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
