#include "vito/money.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/text.h"

enum { PLACES = 9 };

/* A product of two amounts needs more than 64 bits, for which ISO C has no name. */
__extension__ typedef unsigned __int128 product;

static const char digits[] = "0123456789";

enum rt_status
vito_money_parse(const char *text, int64_t *nusd_out)
{
    RT_ASSERT(text != NULL);
    size_t whole = strspn(text, digits);
    const char *fraction = text + whole;
    size_t places = 0;
    if (*fraction == '.') {
        places = strspn(++fraction, digits);
        if (places == 0 || places > PLACES)
            return RT_INVALID;
    }
    if (whole == 0 || fraction[places] != '\0')
        return RT_INVALID;

    int64_t nusd = 0;
    for (size_t i = 0; i < whole; i++) {
        nusd = nusd * 10 + (text[i] - '0');
        if (nusd > VITO_NUSD_MAX / VITO_NUSD_PER_USD)
            return RT_TOO_BIG;
    }
    for (size_t i = 0; i < PLACES; i++)
        nusd = nusd * 10 + (i < places ? fraction[i] - '0' : 0);
    if (nusd > VITO_NUSD_MAX)
        return RT_TOO_BIG;
    *nusd_out = nusd;
    return RT_OK;
}

const char *
vito_money_format(int64_t nusd, char text_out[VITO_USD_TEXT_BYTES])
{
    const uint64_t unit = (uint64_t)VITO_NUSD_PER_USD;
    uint64_t size = nusd < 0 ? -(uint64_t)nusd : (uint64_t)nusd;
    char room[RT_INT_TEXT_BYTES];
    char *at = text_out;
    if (nusd < 0)
        *at++ = '-';
    const char *whole = rt_text_of_int((int64_t)(size / unit), room);
    size_t places = strlen(whole);
    memcpy(at, whole, places);
    at[places] = '.';
    uint64_t fraction = size % unit;
    for (char *last = at + places + PLACES; last > at + places; fraction /= 10)
        *last-- = (char)('0' + fraction % 10);
    at[places + 1 + PLACES] = '\0';
    return text_out;
}

static int64_t
saturated(product value)
{
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

int64_t
vito_money_price(int64_t units, int64_t price_nusd, int64_t per_units)
{
    RT_ASSERT(units >= 0);
    RT_ASSERT(price_nusd >= 0);
    RT_ASSERT(per_units > 0);
    product cost = (product)units * (product)price_nusd;
    product per = (product)per_units;
    return saturated((cost + per - 1) / per);
}

int64_t
vito_money_affordable(int64_t nusd, int64_t price_nusd, int64_t per_units)
{
    RT_ASSERT(nusd >= 0);
    RT_ASSERT(price_nusd >= 0);
    RT_ASSERT(per_units > 0);
    if (price_nusd == 0)
        return INT64_MAX;
    /* ceil(units * price / per) <= nusd exactly when units * price <= nusd * per. */
    return saturated((product)nusd * (product)per_units / (product)price_nusd);
}
