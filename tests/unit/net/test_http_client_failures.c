/* What the HTTP client promises when a vendor is not there, is silent, breaks off or talks
 * nonsense: one end that says which, and no request that is sent twice. */
#include "tests/unit/net/http_client_box.h"

TestSuite(http_client_failures, .init = setup, .fini = teardown, .timeout = 60);

Test(http_client_failures, a_port_where_nobody_listens_is_unreached)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t name_bytes = sizeof(name);
    bind(fd, (struct sockaddr *)&name, sizeof(name));
    getsockname(fd, (struct sockaddr *)&name, &name_bytes);
    start(1, request_to(ntohs(name.sin_port), "POST", "/"));
    cr_assert_str_eq(words_at_end(1), "1: unreached; ");
    close(fd);
}

Test(http_client_failures, a_host_that_does_not_exist_or_does_not_answer_is_unreached)
{
    struct net_http_request *request = request_to(1, "GET", "/");
    request->url = "http://nowhere.invalid/";
    start(1, request);
    words_at_end(1);
    request = request_to(unresponsive_port(), "GET", "/");
    request->connect_timeout_ms = 50;
    start(2, request);
    cr_assert_str_eq(words_at_end(2), "1: unreached; 2: unreached; ");
}

Test(http_client_failures, silence_is_a_timeout)
{
    struct net_http_request *request = request_to(rogue_start(never_answer), "GET", "/");
    request->idle_timeout_ms = 100;
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: timeout; ");
}

Test(http_client_failures, bytes_now_and_then_are_no_silence_but_the_total_counts)
{
    struct net_http_request *request = request_to(rogue_start(never_stop), "GET", "/");
    request->idle_timeout_ms = 200;
    request->total_timeout_ms = 600;
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: timeout; ");
    cr_assert_gt(seen.body_bytes, 100);
}

Test(http_client_failures, a_transfer_paused_by_its_window_is_not_silent)
{
    atomic_store(&owner_consumes, false);
    struct net_http_request *request = request_to(net_server_port(edge_server), "GET", "/endless");
    request->idle_timeout_ms = 100;
    start(1, request);
    await_body(90000);
    usleep(400000);
    cr_assert_eq(ends, 0);
    tell(VERB_CANCEL, 1, 0);
}

static void
cut_in_the_middle(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

Test(http_client_failures, a_connection_cut_in_the_middle_is_cut)
{
    start(1, request_to(rogue_start(cut_in_the_middle), "GET", "/"));
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: cut; ");
    cr_assert_eq(seen.body_bytes, 4);
    start(2, request_to(net_server_port(edge_server), "GET", "/cut"));
    cr_assert_not_null(strstr(words_at_end(2), "2: head 200  -1; 2: cut; "));
}

static void
close_without_answer(int fd)
{
    rogue_read(fd);
}

Test(http_client_failures, a_connection_closed_before_any_answer_is_cut)
{
    start(1, request_to(rogue_start(close_without_answer), "POST", "/"));
    cr_assert_str_eq(words_at_end(1), "1: cut; ");
    cr_assert_eq(rogue_requests, 1);
}

static void
answer_once_then_close(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    rogue_read(fd); /* and then leaves without a word */
}

static bool posts_are_repeatable;

static void
post_twice(const char *body)
{
    uint16_t to_port = rogue_start(answer_once_then_close);
    for (unsigned i = 1; i <= 2; i++) {
        struct net_http_request *request = request_to(to_port, "POST", "/");
        request->body = body;
        request->body_bytes = strlen(body);
        request->is_repeatable = posts_are_repeatable;
        start(i, request);
        words_at_end(i);
    }
    usleep(50000);
}

Test(http_client_failures, a_post_whose_kept_connection_dies_is_not_sent_again)
{
    post_twice("create one");
    cr_assert_str_eq(words(), "1: head 200  -1; 1: complete; 2: cut; ");
    cr_assert_eq(rogue_requests, 2);
}

Test(http_client_failures, a_post_without_body_never_uses_a_kept_connection)
{
    post_twice("");
    cr_assert_str_eq(words(), "1: head 200  -1; 1: complete; 2: head 200  -1; 2: complete; ");
    cr_assert_eq(rogue_connections, 2);
    cr_assert_eq(rogue_requests, 2);
}

Test(http_client_failures, a_repeatable_post_is_sent_again_when_its_kept_connection_dies)
{
    posts_are_repeatable = true;
    post_twice("");
    cr_assert_str_eq(words(), "1: head 200  -1; 1: complete; 2: head 200  -1; 2: complete; ");
    cr_assert_eq(rogue_connections, 2);
    cr_assert_eq(rogue_requests, 3, "once in vain, on the first connection");
}

Test(http_client_failures, a_repeatable_post_uses_a_kept_connection_and_leaves_at_once_when_hurried)
{
    static struct rt_histogram sending;
    uint16_t to_port = rogue_start(count_connections);
    for (unsigned i = 1; i <= 2; i++) {
        struct net_http_request *request = request_to(to_port, "POST", "/end");
        request->is_repeatable = true;
        hurried = i == 1 ? NULL : &sending;
        start(i, request);
        cr_assert_eq(left_at_once, i - 1, "what is not hurried waits for the loop");
        words_at_end(i);
    }
    cr_assert_eq(rogue_connections, 1);
    cr_assert_eq(rogue_requests, 2);
    cr_assert_eq(sending.count, 1);
}

static void
talk_nonsense(int fd)
{
    rogue_read(fd);
    say(fd, "this is not HTTP at all\r\n\r\n");
}

static void
send_endless_head(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1000; i++)
        say(fd, "X-Line: and another one\r\n");
    rogue_read(fd);
}

Test(http_client_failures, what_is_not_http_is_refused)
{
    start(1, request_to(rogue_start(talk_nonsense), "GET", "/"));
    cr_assert_str_eq(words_at_end(1), "1: refused; ");
}

Test(http_client_failures, a_head_without_end_is_refused)
{
    start(1, request_to(rogue_start(send_endless_head), "GET", "/"));
    cr_assert_str_eq(words_at_end(1), "1: refused; ");
}

static void
answer_over_tls(int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context, certificate_file, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, certificate_key_file, SSL_FILETYPE_PEM);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    char byte;
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, &byte, 1) > 0)
        atomic_fetch_add(&rogue_requests, 1);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

Test(http_client_failures, a_certificate_nobody_vouches_for_gets_no_request)
{
    certificate_make();
    char url[100];
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", rogue_start(answer_over_tls));
    struct net_http_request *request = request_to(1, "GET", "/");
    request->url = url;
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: unreached; ");
    cr_assert_eq(rogue_requests, 0);
    certificate_remove();
}
