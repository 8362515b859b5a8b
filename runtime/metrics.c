#include "runtime/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/compiler.h"

/* The buckets that are shown: a bound at each doubling from 16 us to 17 s. */
enum { SHOWN_FIRST = 13 * 4 + 3, SHOWN_LAST = 33 * 4 + 3, SHOWN_STEP = 4 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct rt_metric *metrics; /* grouped by name */

void
rt_metrics_register(struct rt_metric *metric)
{
    pthread_mutex_lock(&mutex);
    struct rt_metric **at = &metrics;
    while (*at != NULL && strcmp((*at)->name, metric->name) != 0)
        at = &(*at)->next;
    while (*at != NULL && strcmp((*at)->name, metric->name) == 0)
        at = &(*at)->next;
    metric->next = *at;
    *at = metric;
    pthread_mutex_unlock(&mutex);
}

/* Bucket i of a doubling holds the values whose two bits below the highest are i. */
static unsigned
bucket_of(uint64_t value)
{
    if (value < 4)
        return (unsigned)value;
    unsigned doubling = 63 - (unsigned)__builtin_clzl(value);
    return doubling * 4 + (unsigned)(value >> (doubling - 2) & 3);
}

static uint64_t
bucket_end(unsigned bucket)
{
    if (bucket < 8)
        return bucket + 1;
    unsigned doubling = bucket / 4;
    return (UINT64_C(4) + bucket % 4 + 1) << (doubling - 2);
}

void
rt_histogram_record(struct rt_histogram *histogram, uint64_t duration_ns)
{
    atomic_fetch_add_explicit(&histogram->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->buckets[bucket_of(duration_ns)], 1, memory_order_relaxed);
}

uint64_t
rt_histogram_percentile_ns(const struct rt_histogram *histogram, unsigned per_mille)
{
    uint64_t count = atomic_load_explicit(&histogram->count, memory_order_relaxed);
    uint64_t wanted = (count * per_mille + 999) / 1000;
    uint64_t seen = 0;
    for (unsigned i = 0; i < RT_HISTOGRAM_BUCKETS && wanted > 0; i++) {
        seen += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        if (seen >= wanted)
            return bucket_end(i);
    }
    return 0;
}

static void
render_sample(FILE *out, const struct rt_metric *metric, const char *suffix, const char *extra,
              const char *value)
{
    fprintf(out, "%s%s", metric->name, suffix);
    const char *labels = metric->labels == NULL ? "" : metric->labels;
    if (*labels != '\0' || *extra != '\0')
        fprintf(out, "{%s%s%s}", labels, *labels != '\0' && *extra != '\0' ? "," : "", extra);
    fprintf(out, " %s\n", value);
}

static void
render_histogram(FILE *out, const struct rt_histogram *histogram)
{
    const struct rt_metric *metric = &histogram->metric;
    char value[32], bound[48];
    uint64_t seen = 0;
    for (unsigned i = 0; i < RT_HISTOGRAM_BUCKETS; i++) {
        uint64_t here = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        seen += here;
        bool is_shown = histogram->is_fine || i % SHOWN_STEP == SHOWN_FIRST % SHOWN_STEP;
        if (i < SHOWN_FIRST || i > SHOWN_LAST || !is_shown)
            continue; /* always the same ones: Prometheus adds them up over time and machines */
        snprintf(bound, sizeof(bound), "le=\"%.9g\"", (double)bucket_end(i) / 1e9);
        snprintf(value, sizeof(value), "%" PRIu64, seen);
        render_sample(out, metric, "_bucket", bound, value);
    }
    snprintf(value, sizeof(value), "%" PRIu64, seen);
    render_sample(out, metric, "_bucket", "le=\"+Inf\"", value);
    render_sample(out, metric, "_count", "", value);
    uint64_t sum_ns = atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    snprintf(value, sizeof(value), "%.9f", (double)sum_ns / 1e9);
    render_sample(out, metric, "_sum", "", value);
}

static void
render_metric(FILE *out, struct rt_metric *metric)
{
    char value[32];
    switch (metric->type) {
    case RT_METRIC_COUNTER: {
        struct rt_counter *counter = RT_CONTAINER_OF(metric, struct rt_counter, metric);
        uint64_t count = atomic_load_explicit(&counter->value, memory_order_relaxed);
        if (metric->read != NULL)
            count = (uint64_t)metric->read();
        snprintf(value, sizeof(value), "%" PRIu64, count);
        render_sample(out, metric, "", "", value);
        break;
    }
    case RT_METRIC_GAUGE: {
        struct rt_gauge *gauge = RT_CONTAINER_OF(metric, struct rt_gauge, metric);
        int64_t level = atomic_load_explicit(&gauge->value, memory_order_relaxed);
        if (metric->read != NULL)
            level = metric->read();
        snprintf(value, sizeof(value), "%" PRId64, level);
        render_sample(out, metric, "", "", value);
        break;
    }
    case RT_METRIC_HISTOGRAM:
        render_histogram(out, RT_CONTAINER_OF(metric, struct rt_histogram, metric));
        break;
    }
}

char *
rt_metrics_render(size_t *size_bytes_out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    char *text = NULL;
    FILE *out = open_memstream(&text, size_bytes_out);
    if (out == NULL)
        return NULL;
    pthread_mutex_lock(&mutex);
    const char *name = "";
    for (struct rt_metric *metric = metrics; metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, name) != 0) {
            name = metric->name;
            fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, metric->help, name,
                    types[metric->type]);
        }
        render_metric(out, metric);
    }
    pthread_mutex_unlock(&mutex);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
