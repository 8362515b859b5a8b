/* What the request reader promises: requests as RFC 9112 means them, the same however the bytes
 * are cut; everything that two servers could read in two ways is refused; and both head and body
 * are bounded. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http1.h"
#include "runtime/random.h"

static struct net_http1_limits limits;
static char seen[1 << 16];

static void
setup(void)
{
    limits = (struct net_http1_limits){.header_bytes_max = 2000, .body_bytes_max = 1000};
}

TestSuite(http1, .init = setup, .timeout = 60);

static void
note(const char *text)
{
    size_t used = strlen(seen);
    snprintf(seen + used, sizeof(seen) - used, "%s", text);
}

static void
note_request(const struct net_http1 *http)
{
    const struct net_request *request = net_http1_request(http);
    char line[4096];
    int used =
        snprintf(line, sizeof(line), "%s %s?%s [", request->method, request->path, request->query);
    for (size_t i = 0; i < request->header_count; i++)
        used += snprintf(line + used, sizeof(line) - (size_t)used, "%s=%s,",
                         request->headers[i].name, request->headers[i].value);
    snprintf(line + used, sizeof(line) - (size_t)used, "] %.*s%s; ", (int)request->body_bytes,
             (const char *)request->body, net_http1_keeps_alive(http) ? "" : " close");
    note(line);
}

/* Reads one request after the other, in pieces of at most `most` bytes (0: at once). */
static void
read_cut(const char *bytes, size_t size_bytes, size_t most, struct rt_random *random)
{
    seen[0] = '\0';
    struct net_http1 *http = net_http1_create(&limits);
    size_t at = 0;
    while (at < size_bytes) {
        size_t piece = most == 0 ? size_bytes : 1 + rt_random_below(random, most);
        if (piece > size_bytes - at)
            piece = size_bytes - at;
        size_t used;
        enum net_http1_read read = net_http1_feed(http, (const uint8_t *)bytes + at, piece, &used);
        at += used;
        if (read == NET_HTTP1_REFUSED) {
            char line[32];
            snprintf(line, sizeof(line), "refused %d", net_http1_refusal(http));
            note(line);
            break;
        }
        if (read == NET_HTTP1_REQUEST) {
            note_request(http);
            net_http1_destroy(http);
            http = net_http1_create(&limits);
        }
    }
    net_http1_destroy(http);
}

/* Reads at once, then cut in many ways, and asserts one result. */
static const char *
reads(const char *bytes, size_t size_bytes)
{
    static char whole[sizeof(seen)];
    char *copy = malloc(size_bytes); /* so that reading beyond the end is seen */
    memcpy(copy, bytes, size_bytes);
    read_cut(copy, size_bytes, 0, NULL);
    memcpy(whole, seen, sizeof(seen));
    struct rt_random random;
    rt_random_seed(&random, 13);
    for (size_t round = 0; round < 40; round++) {
        read_cut(copy, size_bytes, 1 + round / 2, &random);
        cr_assert_str_eq(seen, whole);
    }
    free(copy);
    return whole;
}

#define READS(text) reads(text, sizeof(text) - 1)
#define HOST "Host: h\r\n"

Test(http1, a_request_is_method_path_query_and_lower_case_headers)
{
    cr_assert_str_eq(
        READS("GET /a/b?x=1&y HTTP/1.1\r\nHost: h:80\r\nX-Some-Thing:  two words \t\r\n"
              "Empty:\r\n\r\n"),
        "GET /a/b?x=1&y [host=h:80,x-some-thing=two words,empty=,] ; ");
}

Test(http1, requests_follow_each_other_and_blank_lines_between_them_do_not_count)
{
    cr_assert_str_eq(READS("\r\n\r\nGET /1 HTTP/1.1\r\n" HOST "\r\n"
                           "\r\nPOST /2 HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                           "DELETE /3 HTTP/1.1\r\n" HOST "\r\n"),
                     "GET /1? [host=h,] ; POST /2? [host=h,content-length=3,] abc; "
                     "DELETE /3? [host=h,] ; ");
}

Test(http1, a_chunked_body_is_put_together_and_its_trailers_are_passed_over)
{
    cr_assert_str_eq(READS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                           "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
                           "GET /next HTTP/1.1\r\n" HOST "\r\n"),
                     "POST /? [host=h,transfer-encoding=chunked,] hello world; "
                     "GET /next? [host=h,] ; ");
}

Test(http1, the_target_may_be_absolute_or_an_asterisk)
{
    cr_assert_str_eq(READS("GET http://some.host:80/p?q HTTP/1.1\r\n" HOST "\r\n"
                           "GET http://some.host?q HTTP/1.1\r\n" HOST "\r\n"
                           "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
                     "GET /p?q [host=h,] ; GET /?q [host=h,] ; OPTIONS *? [host=h,] ; ");
}

Test(http1, only_the_first_question_mark_splits)
{
    cr_assert_str_eq(READS("GET /?a=?b HTTP/1.1\r\n" HOST "\r\n"), "GET /?a=?b [host=h,] ; ");
}

Test(http1, keep_alive_follows_version_and_connection_header)
{
    cr_assert_str_eq(READS("GET / HTTP/1.0\r\n\r\n"
                           "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                           "GET / HTTP/1.1\r\n" HOST "Connection: foo, close\r\n\r\n"),
                     "GET /? []  close; GET /? [connection=keep-alive,] ; "
                     "GET /? [host=h,connection=foo, close,]  close; ");
}

Test(http1, an_upgrade_we_do_not_know_is_an_ordinary_request)
{
    cr_assert_str_eq(READS("POST / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: upgrade\r\n"
                           "Content-Length: 2\r\n\r\nab"),
                     "POST /? [host=h,upgrade=h2c,connection=upgrade,content-length=2,] ab; ");
}

Test(http1, a_client_that_waits_is_told_to_go_on_once)
{
    static const char head[] =
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
    struct net_http1 *http = net_http1_create(&limits);
    size_t used;
    cr_assert_eq(net_http1_feed(http, (const uint8_t *)head, sizeof(head) - 1, &used),
                 NET_HTTP1_CONTINUE);
    cr_assert(net_http1_is_in_body(http));
    cr_assert_eq(net_http1_feed(http, (const uint8_t *)"a", 1, &used), NET_HTTP1_MORE);
    cr_assert_eq(net_http1_feed(http, (const uint8_t *)"b", 1, &used), NET_HTTP1_REQUEST);
    net_http1_destroy(http);
}

Test(http1, a_client_that_sends_its_body_anyway_is_not_told)
{
    cr_assert_str_eq(
        READS("POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\nab"),
        "POST /? [host=h,content-length=2,expect=100-continue,] ab; ");
}

Test(http1, a_body_in_very_many_chunks_is_read)
{
    limits.body_bytes_max = 30000;
    static char text[400000];
    char *at = stpcpy(text, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 30000; i++)
        at = stpcpy(at, "1\r\nx\r\n");
    at = stpcpy(at, "0\r\n\r\n");
    struct net_http1 *http = net_http1_create(&limits);
    size_t used;
    cr_assert_eq(net_http1_feed(http, (const uint8_t *)text, (size_t)(at - text), &used),
                 NET_HTTP1_REQUEST);
    cr_assert_eq(net_http1_request(http)->body_bytes, 30000);
    net_http1_destroy(http);
}

Test(http1, a_list_header_is_searched_token_by_token_over_all_its_lines)
{
    static const struct net_header headers[] = {{"connection", "keep-alive, UPGRADE"},
                                                {"upgrade", "h2c"},
                                                {"upgrade", "websocket2 , WebSocket"}};
    struct net_request request = {.headers = headers, .header_count = 3};
    cr_assert(net_http1_has_token(&request, "connection", "upgrade"));
    cr_assert(net_http1_has_token(&request, "upgrade", "websocket"));
    cr_assert_not(net_http1_has_token(&request, "upgrade", "web"));
    cr_assert_not(net_http1_has_token(&request, "connection", "close"));
}

Test(http1, a_head_above_its_limit_is_refused_also_without_any_newline)
{
    static char text[3000];
    memset(text, 'a', sizeof(text));
    cr_assert_str_eq(reads(text, sizeof(text)), "refused 431");
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    cr_assert_str_eq(reads(text, sizeof(text)), "refused 431");
}

Test(http1, a_head_at_its_limit_passes)
{
    static char text[2001];
    memset(text, 'a', 2000);
    memcpy(text, "GET / HTTP/1.1\r\nHost: ", 22);
    memcpy(text + 1996, "\r\n\r\n", 5);
    cr_assert_eq(strncmp(READS(text), "GET /? [host=aaa", 15), 0);
    limits.header_bytes_max = 1999;
    cr_assert_str_eq(reads(text, 2000), "refused 431");
}

Test(http1, too_many_headers_are_refused)
{
    static char text[2000];
    char *at = stpcpy(text, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 1; i < NET_HTTP1_HEADERS_MAX; i++)
        at = stpcpy(at, "a: b\r\n");
    strcpy(at, "\r\n");
    cr_assert_eq(strncmp(reads(text, strlen(text)), "GET", 3), 0);
    strcpy(at, "c: d\r\n\r\n");
    cr_assert_str_eq(reads(text, strlen(text)), "refused 431");
}

Test(http1, a_body_above_its_limit_is_refused_when_announced_or_when_it_comes)
{
    cr_assert_str_eq(READS("POST / HTTP/1.1\r\n" HOST "Content-Length: 1001\r\n\r\n"),
                     "refused 413");
    cr_assert_str_eq(
        READS("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n"),
        "refused 400");
    limits.body_bytes_max = 8;
    cr_assert_str_eq(READS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"),
                     "refused 413");
}

static const char *const malformed[] = {
    "not http at all\r\n\r\n",
    "\x16\x03\x01\x02\x01\xfc\x03\x03\r\n\r\n", /* a TLS hello */
    "GET / HTTP/1.1\n" HOST "\r\n",             /* bare newlines */
    "GET / HTTP/1.1\r\nHost: h\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", /* a folded header */
    "GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n",
    " GET / HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", /* a space before the colon */
    "GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", /* a bare CR */
    "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "X: \x7f"
    "a\r\n\r\n",
    "GET / HTTP/1.1\r\n" HOST "X\xE9: a\r\n\r\n",
    "GET /\xE9 HTTP/1.1\r\n" HOST "\r\n",
    "GET /#a HTTP/1.1\r\n" HOST "\r\n",
    "GET * HTTP/1.1\r\n" HOST "\r\n",
    "GET ftp://a/b HTTP/1.1\r\n" HOST "\r\n",
    "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n",
    "GET / HTTP/1.1\r\n\r\n", /* no host, two hosts */
    "GET / HTTP/1.1\r\n" HOST "Host: i\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\nx",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\nx",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
};

Test(http1, what_two_servers_could_read_in_two_ways_is_refused)
{
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
        cr_assert_str_eq(reads(malformed[i], strlen(malformed[i])), "refused 400", "%zu: %s", i,
                         malformed[i]);
}

Test(http1, a_nul_byte_is_refused_wherever_it_stands)
{
    cr_assert_str_eq(READS("GET /\0 HTTP/1.1\r\n" HOST "\r\n"), "refused 400");
    cr_assert_str_eq(READS("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), "refused 400");
    cr_assert_str_eq(READS("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), "refused 400");
}

Test(http1, other_codings_versions_and_expectations_are_refused_by_name)
{
    cr_assert_str_eq(READS("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
                     "refused 501");
    cr_assert_str_eq(READS("GET / HTTP/2.0\r\n" HOST "\r\n"), "refused 505");
    cr_assert_str_eq(READS("GET /\r\n\r\n"), "refused 505"); /* HTTP/0.9 */
    cr_assert_str_eq(READS("POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nExpect: more\r\n\r\n"),
                     "refused 417");
}

Test(http1, random_bytes_never_upset_it)
{
    struct rt_random random;
    rt_random_seed(&random, 17);
    static const char alphabet[] = "GET POST / HTTP/1.1\r\n\r\n: ,;0123456789abcdef\t\0\x80?#*";
    char text[600];
    for (int round = 0; round < 20000; round++) {
        size_t size_bytes = rt_random_below(&random, sizeof(text));
        for (size_t i = 0; i < size_bytes; i++)
            text[i] = alphabet[rt_random_below(&random, sizeof(alphabet) - 1)];
        if (rt_random_chance(&random, 700) && size_bytes > 60)
            memcpy(text, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 56);
        read_cut(text, size_bytes, 1 + rt_random_below(&random, 100), &random);
    }
}
