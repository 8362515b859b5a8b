/*
 * runtime/metrics.h - counters, gauges and histograms, shown as Prometheus text.
 *
 * A metric is a static struct, registered once at start and changed from any thread. Labels
 * are fixed text at registration; none comes from outside, so there are never too many.
 */
#ifndef RUNTIME_METRICS_H
#define RUNTIME_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RT_HISTOGRAM_BUCKETS = 64 * 4 }; /* four to each doubling: within 19 % of the truth */

enum rt_metric_type { RT_METRIC_COUNTER, RT_METRIC_GAUGE, RT_METRIC_HISTOGRAM };

struct rt_metric {
    const char *name;   /* twin_noun_unit_total, as Prometheus wants */
    const char *help;   /* one sentence */
    const char *labels; /* `reason="burst_rate"`, or NULL */
    enum rt_metric_type type;
    int64_t (*read)(void); /* a gauge that is computed when asked for; else NULL */
    struct rt_metric *next;
};

struct rt_counter {
    struct rt_metric metric;
    atomic_uint_fast64_t value;
};

struct rt_gauge {
    struct rt_metric metric;
    atomic_int_fast64_t value;
};

/* Of durations, in ns; shown in seconds. */
struct rt_histogram {
    struct rt_metric metric;
    bool is_fine; /* shown by all its buckets, four to each doubling; otherwise by one */
    atomic_uint_fast64_t count, sum_ns;
    atomic_uint_fast64_t buckets[RT_HISTOGRAM_BUCKETS];
};

/* Adds it to what rt_metrics_render() shows; metrics of one name one after the other. It must
 * live as long as the process. Threads: any. */
void rt_metrics_register(struct rt_metric *metric);

static inline void
rt_counter_add(struct rt_counter *counter, uint64_t amount)
{
    atomic_fetch_add_explicit(&counter->value, amount, memory_order_relaxed);
}

static inline void
rt_gauge_add(struct rt_gauge *gauge, int64_t amount)
{
    atomic_fetch_add_explicit(&gauge->value, amount, memory_order_relaxed);
}

void rt_histogram_record(struct rt_histogram *histogram, uint64_t duration_ns);

/* The duration below which `per_mille` of all recorded ones lie, at most 19 % too high. 0 when
 * there are none. */
uint64_t rt_histogram_percentile_ns(const struct rt_histogram *histogram, unsigned per_mille);

/*
 * All metrics as Prometheus text (version 0.0.4), NUL-terminated.
 *
 *   returns    NULL when out of memory
 *   ownership  the caller's, by free()
 *   threads    any
 */
char *rt_metrics_render(size_t *size_bytes_out);

#endif
