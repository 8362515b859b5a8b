/* HTTP/1 requests: the same bytes cut into any pieces are the same requests, within their limits,
 * and nothing in a request can be read in two ways: no control characters, names in lower case. */
#include <string.h>

#include "net/http1.h"
#include "tests/fuzz/fuzz.h"

static const struct net_http1_limits limits = {.header_bytes_max = 1024, .body_bytes_max = 256};

static bool
is_clean(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
    return fuzz_hash(hash, text, strlen(text));
}

static uint64_t
take_headers(uint64_t hash, const struct net_request *request)
{
    FUZZ_CHECK(request->header_count <= NET_HTTP1_HEADERS_MAX);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct net_header *header = &request->headers[i];
        FUZZ_CHECK(header->name[0] != '\0' && is_clean(header->name) && is_clean(header->value));
        FUZZ_CHECK(strpbrk(header->name, " \t:ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
        hash = hash_text(hash_text(hash, header->name), header->value);
    }
    return hash;
}

static uint64_t
take(uint64_t hash, const struct net_http1 *http)
{
    const struct net_request *request = net_http1_request(http);
    FUZZ_CHECK(request->body_bytes <= limits.body_bytes_max);
    FUZZ_CHECK(is_clean(request->path) && is_clean(request->query));
    FUZZ_CHECK(strpbrk(request->path, " ?") == NULL && strchr(request->query, ' ') == NULL);
    FUZZ_CHECK(request->method[0] != '\0');
    hash = hash_text(hash_text(hash_text(hash, request->method), request->path), request->query);
    hash = fuzz_hash(take_headers(hash, request), request->body, request->body_bytes);
    bool keeps_alive = net_http1_keeps_alive(http);
    return fuzz_hash(hash, &keeps_alive, sizeof(keeps_alive));
}

/* All requests of a connection; what the client is told in between does not count. */
static uint64_t
read_in_pieces(const uint8_t *bytes, size_t size_bytes, size_t piece_bytes)
{
    uint64_t hash = FUZZ_HASH;
    struct net_http1 *http = net_http1_create(&limits);
    while (size_bytes > 0) {
        size_t used = SIZE_MAX, piece = size_bytes < piece_bytes ? size_bytes : piece_bytes;
        enum net_http1_read read = net_http1_feed(http, bytes, piece, &used);
        FUZZ_CHECK(used <= piece);
        if (read == NET_HTTP1_REFUSED) {
            enum net_http1_refusal refusal = net_http1_refusal(http);
            hash = fuzz_hash(hash, &refusal, sizeof(refusal));
            break;
        }
        bytes += used;
        size_bytes -= used;
        if (read != NET_HTTP1_REQUEST) {
            FUZZ_CHECK(used == piece);
            continue;
        }
        FUZZ_CHECK(used > 0);
        hash = take(hash, http);
        net_http1_destroy(http);
        http = net_http1_create(&limits);
    }
    net_http1_destroy(http);
    return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    size_t piece_bytes = 1 + fuzz_byte(&input) % 16;
    uint64_t whole = read_in_pieces(input.at, input.left_bytes, size_bytes + 1);
    FUZZ_CHECK(whole == read_in_pieces(input.at, input.left_bytes, piece_bytes));
    return 0;
}
