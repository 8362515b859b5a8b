#include "runtime/assert.h"

#include <stdio.h>
#include <stdlib.h>

void
rt_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "bug: %s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}
