/* An adapter written for one test, on a host that plays the vendor. */
#ifndef TESTS_UNIT_LUA_ADAPTER_BOX_H
#define TESTS_UNIT_LUA_ADAPTER_BOX_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/lua/fake_host.h"
#include "tests/unit/lua/policy_box.h"

static struct fake_leg *leg;

/* Writes an adapter called "mine" with these bodies of its verbs, and opens a host with it. */
static inline void
open_with(const char *initialize, const char *drive, const char *terminate)
{
    char text[4096];
    snprintf(text, sizeof(text),
             "local http, json = require 'twin.http', require 'twin.json'\n"
             "local provider, clock = require 'twin.provider', require 'twin.clock'\n"
             "local sse, base64 = require 'twin.sse', require 'twin.base64'\n"
             "local mine = provider.streaming_avatar {\n"
             "  name = 'mine', modes = { 'text' }, base_url = 'https://mine.example' }\n"
             "function mine.initialize_session(config, limits) %s end\n"
             "function mine.drive_avatar(session, input, usage) %s end\n"
             "function mine.terminate(session, reason, usage) %s end\n"
             "return mine\n",
             initialize, drive, terminate);
    policy_box_write("mine", text);
    fake_host_open(policy_box_directory());
    leg = fake_leg_create();
    fake_initialize(leg, "mine", "{}", "{}");
}

static inline void
open_drive(const char *drive)
{
    open_with("return {}", drive, "return 'stopped'");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
}

static inline void
close_all(void)
{
    fake_leg_destroy(leg);
    fake_host_close();
}

/* Runs a body of drive_avatar to its end; it must not wait. */
static inline void
expect_drive(const char *body, enum adapter_error error, const char *detail)
{
    open_drive(body);
    fake_drive(leg, "{\"n\":1}");
    cr_expect_eq(leg->ends, 2, "%s", body);
    cr_expect_eq(leg->result.error, error, "%s\ngave %s", body, leg->detail);
    cr_expect_not_null(strstr(leg->detail, detail), "%s\ngave %s", body, leg->detail);
    close_all();
}

#endif
