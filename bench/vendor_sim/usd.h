/*
 * bench/vendor_sim/usd.h - dollars as whole nano-dollars: as text, and as the price of units.
 */
#ifndef BENCH_VENDOR_SIM_USD_H
#define BENCH_VENDOR_SIM_USD_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_NUSD_PER_USD INT64_C(1000000000)

enum { SIM_USD_BYTES = 32 };

/* Reads "12.345", at most nine places and less than 1001 dollars. False when it is something else.
 */
bool sim_usd_parse(const char *text, int64_t *nusd_out);

/* Writes it with nine places. */
void sim_usd_format(int64_t nusd, char text_out[SIM_USD_BYTES]);

/* What `units` cost at `price_nusd` for each `per`, rounded up to the next nano-dollar. */
int64_t sim_usd_of(int64_t units, int64_t price_nusd, int64_t per);

#endif
