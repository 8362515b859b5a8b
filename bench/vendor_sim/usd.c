#include "bench/vendor_sim/usd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/assert.h"

enum { PLACES = 9, USD_MAX = 1000 };

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
sim_usd_parse(const char *text, int64_t *nusd_out)
{
    int64_t usd = 0, fraction = 0;
    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); text++) {
        usd = usd * 10 + (*text - '0');
        if (usd > USD_MAX)
            return false;
    }
    int places = 0;
    if (*text == '.')
        for (text++; is_digit(*text) && places < PLACES; text++, places++)
            fraction = fraction * 10 + (*text - '0');
    if (*text != '\0')
        return false;
    for (; places < PLACES; places++)
        fraction *= 10;
    *nusd_out = usd * SIM_NUSD_PER_USD + fraction;
    return true;
}

void
sim_usd_format(int64_t nusd, char text_out[SIM_USD_BYTES])
{
    RT_ASSERT(nusd >= 0);
    snprintf(text_out, SIM_USD_BYTES, "%" PRId64 ".%09" PRId64, nusd / SIM_NUSD_PER_USD,
             nusd % SIM_NUSD_PER_USD);
}

int64_t
sim_usd_of(int64_t units, int64_t price_nusd, int64_t per)
{
    RT_ASSERT(units >= 0);
    RT_ASSERT(price_nusd >= 0);
    RT_ASSERT(price_nusd <= USD_MAX * SIM_NUSD_PER_USD);
    /* Whole ones first: the product of the rest stays below 2^63, and that of the whole ones for
     * a hundred years of video. */
    int64_t whole = units / per, rest = units % per;
    return whole * price_nusd + (rest * price_nusd + per - 1) / per;
}
