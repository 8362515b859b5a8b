/*
 * vito/money.h - amounts of money: integer nano-dollars, decimal strings on the wire.
 *
 * A float never touches an amount. An int64 of nano-dollars reaches 9.2 billion dollars; limits
 * are bounded far below, so that sums cannot overflow.
 */
#ifndef VITO_MONEY_H
#define VITO_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

#define VITO_NUSD_PER_USD INT64_C(1000000000)

/* The largest amount accepted from outside: nine million dollars, which is below 2^53 nano-
 * dollars, so that Lua policies read every amount exactly. */
#define VITO_NUSD_MAX (INT64_C(9000000) * VITO_NUSD_PER_USD)

enum { VITO_USD_TEXT_BYTES = 32 };

/*
 * Reads a decimal amount of dollars: digits, optionally a point and one to nine digits. No sign,
 * no exponent, no spaces.
 *
 *   returns    RT_OK | RT_INVALID | RT_TOO_BIG (over VITO_NUSD_MAX)
 */
RT_MUST_USE enum rt_status vito_money_parse(const char *text, int64_t *nusd_out);

/* Writes an amount with nine places, "-" in front when negative. Returns `text_out`. */
const char *vito_money_format(int64_t nusd, char text_out[VITO_USD_TEXT_BYTES]);

/*
 * The price of `units` at `price_nusd` for each `per_units`, rounded up to the next nano-dollar.
 * Saturates at INT64_MAX. All arguments not negative, per_units > 0.
 */
int64_t vito_money_price(int64_t units, int64_t price_nusd, int64_t per_units);

/* The most units whose price is at most `nusd`; INT64_MAX when they are free. */
int64_t vito_money_affordable(int64_t nusd, int64_t price_nusd, int64_t per_units);

#endif
