/*
 * The other direction: a policy config as its JSON document.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vito/money.h"
#include "vito/policy_config.h"

static void
print_money(FILE *out, const char *name, int64_t nusd)
{
    char text[VITO_USD_TEXT_BYTES];
    if (nusd == VITO_UNLIMITED)
        fprintf(out, "\"%s\":null", name);
    else
        fprintf(out, "\"%s\":\"%s\"", name, vito_money_format(nusd, text));
}

static void
print_limit(FILE *out, const char *name, int64_t value, int64_t unit)
{
    if (value == VITO_UNLIMITED)
        fprintf(out, ",\"%s\":null", name);
    else
        fprintf(out, ",\"%s\":%" PRId64, name, value / unit);
}

static void
print_limits(FILE *out, const struct vito_limits *limits)
{
    enum { MINUTE_MS = 60000 };
    fputs("\"limits\":{", out);
    print_money(out, "monthly_hard_limit_usd", limits->month_nusd);
    fputc(',', out);
    print_money(out, "session_limit_usd", limits->session_nusd);
    print_limit(out, "video_minutes", limits->video_ms, MINUTE_MS);
    print_limit(out, "voice_minutes", limits->voice_ms, MINUTE_MS);
    print_limit(out, "session_minutes_max", limits->session_ms, MINUTE_MS);
    print_limit(out, "tokens_per_session", limits->session_tokens, 1);
    fputc('}', out);
}

static void
print_modes(FILE *out, const bool modes[VITO_MODE_COUNT])
{
    fputs("\"modes\":[", out);
    const char *comma = "";
    for (int mode = VITO_MODE_COUNT - 1; mode >= 0; mode--)
        if (modes[mode]) {
            fprintf(out, "%s\"%s\"", comma, vito_mode_name((enum vito_mode)mode));
            comma = ",";
        }
    fputc(']', out);
}

static void
print_prices(FILE *out, const struct vito_prices *prices)
{
    fputs("\"prices\":{", out);
    print_money(out, "interaction_usd", prices->interaction_nusd);
    fputc(',', out);
    print_money(out, "token_1k_usd", prices->token_1k_nusd);
    fputc(',', out);
    print_money(out, "minute_voice_usd", prices->minute_nusd[VITO_VOICE]);
    fputc(',', out);
    print_money(out, "minute_video_usd", prices->minute_nusd[VITO_VIDEO]);
    fputc('}', out);
}

char *
vito_policy_config_print(const struct vito_policy_config *config)
{
    char *text = NULL;
    size_t size_bytes;
    FILE *out = open_memstream(&text, &size_bytes);
    if (out == NULL)
        return NULL;
    const struct vito_rate *rate = &config->rate;
    fputc('{', out);
    print_limits(out, &config->limits);
    fprintf(out,
            ",\"rate\":{\"per_second\":%" PRIu32 ",\"burst\":%" PRIu32 ",\"queue\":%" PRIu32
            ",\"max_wait_ms\":%" PRIu32 "},",
            rate->per_second, rate->burst, rate->queue, rate->max_wait_ms);
    print_modes(out, config->modes);
    fputc(',', out);
    print_prices(out, &config->prices);
    fprintf(out, ",\"timezone\":\"%s\",\"settings\":", config->zone_name);
    fwrite(config->settings->bytes, 1, config->settings->size_bytes, out);
    fputc('}', out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
