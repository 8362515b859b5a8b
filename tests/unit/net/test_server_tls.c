/* What the server promises over TLS: the same as without it, a proper farewell, and no patience
 * with handshakes that do not end. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/unit/net/certificate.h"
#include "tests/unit/net/edge.h"

static SSL_CTX *tls;

static void
setup(void)
{
    edge_setup();
    certificate_make();
    edge_options.tls_certificate_file = certificate_file;
    edge_options.tls_key_file = certificate_key_file;
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(tls, certificate_file, NULL);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
}

static void
teardown(void)
{
    edge_stop();
    SSL_CTX_free(tls);
    certificate_remove();
}

TestSuite(server_tls, .init = setup, .fini = teardown, .timeout = 60);

static SSL *
tls_connect(void)
{
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    SSL *ssl = SSL_new(tls);
    SSL_set_fd(ssl, client_connect());
    SSL_set_alpn_protos(ssl, protocols, sizeof(protocols) - 1);
    cr_assert_eq(SSL_connect(ssl), 1, "%s", ERR_reason_error_string(ERR_get_error()));
    return ssl;
}

static void
tls_close(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

static void
tls_say(SSL *ssl, const char *text)
{
    cr_assert_eq(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void
tls_read(SSL *ssl, void *to, size_t size_bytes)
{
    for (size_t used = 0; used < size_bytes;) {
        int got = SSL_read(ssl, (char *)to + used, (int)(size_bytes - used));
        cr_assert_gt(got, 0, "the server closed in the middle");
        used += (size_t)got;
    }
}

Test(server_tls, a_request_is_answered_and_the_end_is_announced)
{
    edge_start(1);
    SSL *ssl = tls_connect();
    const unsigned char *protocol;
    unsigned protocol_bytes;
    SSL_get0_alpn_selected(ssl, &protocol, &protocol_bytes);
    cr_assert_eq(protocol_bytes, 8);
    cr_assert_eq(memcmp(protocol, "http/1.1", 8), 0);
    tls_say(ssl, "GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    char answer[4096] = "";
    int used = 0, got;
    while ((got = SSL_read(ssl, answer + used, (int)sizeof(answer) - 1 - used)) > 0)
        used += got;
    cr_assert_eq(SSL_get_error(ssl, got), SSL_ERROR_ZERO_RETURN, "a close alert, not just an end");
    cr_assert_str_eq(body_of(answer), "hello");
    tls_close(ssl);
}

Test(server_tls, messages_larger_than_a_record_come_whole_and_go_back_whole)
{
    edge_start(1);
    SSL *ssl = tls_connect();
    tls_say(ssl, UPGRADE("/ws") "\r\n");
    char head[4096];
    cr_assert_gt(SSL_read(ssl, head, sizeof(head)), 12);
    cr_assert_eq(strncmp(head, "HTTP/1.1 101 ", 13), 0);
    static uint8_t payload[100000], frame[100020], back[100010];
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 31);
    for (int round = 0; round < 5; round++) {
        size_t frame_bytes = client_frame(frame, 0x82, payload, sizeof(payload));
        cr_assert_eq(SSL_write(ssl, frame, (int)frame_bytes), (int)frame_bytes);
        tls_read(ssl, back, 10 + sizeof(payload));
        cr_assert_eq(memcmp(back + 10, payload, sizeof(payload)), 0);
    }
    tls_close(ssl);
}

Test(server_tls, many_small_messages_in_one_record_are_all_read)
{
    edge_start(1);
    SSL *ssl = tls_connect();
    tls_say(ssl, UPGRADE("/ws") "\r\n");
    char head[4096];
    SSL_read(ssl, head, sizeof(head));
    static uint8_t frames[20000];
    size_t frames_bytes = 0;
    for (int i = 0; i < 1000; i++)
        frames_bytes += client_frame(frames + frames_bytes, 0x81, "abcd", 4);
    cr_assert_eq(SSL_write(ssl, frames, (int)frames_bytes), (int)frames_bytes);
    uint8_t back[6000];
    tls_read(ssl, back, sizeof(back));
    for (size_t i = 0; i < sizeof(back); i += 6)
        cr_assert_eq(memcmp(back + i,
                            "\x81\x04"
                            "abcd",
                            6),
                     0);
    tls_close(ssl);
}

Test(server_tls, a_slow_reader_gets_every_byte_of_a_stream)
{
    edge_start(1);
    SSL *ssl = tls_connect();
    tls_say(ssl, "GET /endless HTTP/1.0\r\n\r\n");
    char head[200];
    tls_read(ssl, head, 100);
    static char sink[100000];
    for (int i = 0; i < 100; i++) {
        tls_read(ssl, sink, sizeof(sink));
        if (i % 10 == 0)
            usleep(20000);
    }
    cr_assert_gt(edge_full, 10);
    tls_close(ssl);
    edge_await(&edge_closed, 1);
}

Test(server_tls, a_handshake_that_does_not_end_is_closed)
{
    edge_options.header_timeout_ms = 100;
    edge_start(1);
    cr_assert_str_eq(client_talk(""), "");
    cr_assert_str_eq(client_talk("\x16\x03\x01"), "");
    cr_assert_eq(edge_closed, 0);
}

Test(server_tls, plain_text_gets_nothing)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    char bytes[100];
    ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
    cr_assert(got <= 0 || bytes[0] == 0x15, "nothing, or a TLS alert");
    cr_assert_eq(edge_requests, 0);
    close(fd);
}

Test(server_tls, old_versions_are_refused)
{
    edge_start(1);
    SSL *ssl = SSL_new(tls);
    SSL_set_security_level(ssl, 0);
    SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
    int fd = client_connect();
    SSL_set_fd(ssl, fd);
    cr_assert_neq(SSL_connect(ssl), 1);
    tls_close(ssl);
}

/* The certificate a new connection is shown, freed by the caller; it is not checked. */
static X509 *
shown_certificate(void)
{
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL *ssl = tls_connect();
    X509 *certificate = SSL_get1_peer_certificate(ssl);
    tls_close(ssl);
    return certificate;
}

/* Writes another certificate into the same files. `kind` as `openssl req -newkey` has it. */
static void
change_certificate(const char *kind)
{
    char command[400];
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey %s -nodes -days 2 -subj /CN=renewed -keyout %s -out %s "
             "2>/dev/null",
             kind, certificate_key_file, certificate_file);
    cr_assert_eq(system(command), 0);
}

/* Whether new connections are shown that name within ten seconds. */
static bool
comes_to_be_shown(const char *name)
{
    for (int i = 0; i < 1000; i++) {
        X509 *certificate = shown_certificate();
        char shown[100] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, shown,
                                  sizeof(shown));
        X509_free(certificate);
        if (strcmp(shown, name) == 0)
            return true;
        usleep(10000);
    }
    return false;
}

Test(server_tls, a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on)
{
    static const char *const kinds[] = {"ec -pkeyopt ec_paramgen_curve:prime256v1", "rsa:2048"};
    for (int i = 0; i < 2; i++) { /* one of the same type, and one of another */
        edge_start(1);
        SSL *before = tls_connect();
        cr_assert(comes_to_be_shown("localhost"));
        change_certificate(kinds[i]);
        net_server_renew_tls(edge_server);
        cr_assert(comes_to_be_shown("renewed"));
        tls_say(before, "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
        char head[13] = "";
        tls_read(before, head, 12);
        cr_assert_str_eq(head, "HTTP/1.1 200");
        tls_close(before);
        edge_stop();
        unlink(certificate_file);
        unlink(certificate_key_file);
        rmdir(certificate_directory);
        snprintf(certificate_directory, sizeof(certificate_directory), "/tmp/twin-test-XXXXXX");
        certificate_make();
    }
}

Test(server_tls, a_renewed_certificate_that_is_none_changes_nothing)
{
    edge_start(1);
    FILE *file = fopen(certificate_file, "w");
    fputs("-----BEGIN CERTIFICATE-----\nnonsense\n", file);
    fclose(file);
    net_server_renew_tls(edge_server);
    for (int i = 0; i < 20; i++)
        cr_assert(comes_to_be_shown("localhost"));
    change_certificate("ec -pkeyopt ec_paramgen_curve:prime256v1");
    net_server_renew_tls(edge_server);
    cr_assert(comes_to_be_shown("renewed"));
}

Test(server_tls, a_certificate_that_is_none_is_refused_in_words)
{
    char problem[200];
    struct net_server *server;
    edge_options.system =
        rt_system_create(&(struct rt_system_options){.workers = 1, .world = rt_world_real()});
    edge_options.tls_key_file = NULL;
    cr_assert_eq(net_server_open(&edge_options, &server, problem, sizeof(problem)), RT_INVALID);
    cr_assert_not_null(strstr(problem, "both"));
    edge_options.tls_key_file = "/nowhere";
    cr_assert_eq(net_server_open(&edge_options, &server, problem, sizeof(problem)), RT_INVALID);
    cr_assert_not_null(strstr(problem, "/nowhere: "));
    edge_options.tls_certificate_file = "/dev/null";
    cr_assert_eq(net_server_open(&edge_options, &server, problem, sizeof(problem)), RT_INVALID);
    cr_assert_not_null(strstr(problem, "/dev/null: "));
    rt_system_destroy(edge_options.system);
}
