/*
 * What adapters call to reach the host, as the table `native` that lua/twin/ builds its modules
 * on. Nothing here waits.
 */
#include <lauxlib.h>
#include <string.h>

#include "lua/adapter_state.h"

enum {
    HEADERS_MAX = 16,
    PATH_BYTES_MAX = 1024,
    PIECE_BYTES_MAX = 64 * 1024, /* of what http_take gives at a time */
    SLEEP_MS_MAX = 3600 * 1000,
    TIMEOUT_MS_MAX = 3600 * 1000,
};

/* The leg whose verb is calling. A file that is being loaded has none. */
static struct tlua_leg *
running_raise(lua_State *state)
{
    struct tlua_leg *leg = tlua_adapter_vm_of(state)->running;
    if (leg == NULL)
        luaL_error(state, "this can be called in a verb only");
    return leg;
}

static lua_Integer
check_range_raise(lua_State *state, int index, lua_Integer max)
{
    lua_Number number = luaL_checknumber(state, index);
    luaL_argcheck(state, number >= 0 && number <= (lua_Number)max, index, "out of range");
    return (lua_Integer)number;
}

static int
suspend(lua_State *state)
{
    (void)running_raise(state);
    return lua_yield(state, 0);
}

/* Whether a cut has come that nobody was told of yet. */
static int
take_cut(lua_State *state)
{
    struct tlua_leg *leg = running_raise(state);
    lua_pushboolean(state, leg->cut_is_new);
    leg->cut_is_new = false;
    return 1;
}

static int
is_cut(lua_State *state)
{
    lua_pushboolean(state, running_raise(state)->is_cut);
    return 1;
}

static int
wall_ms(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    (void)running_raise(state);
    lua_pushnumber(state, (lua_Number)vm->host.wall_ms(vm->host.self));
    return 1;
}

static int
boot_ms(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    (void)running_raise(state);
    lua_pushnumber(state, (lua_Number)vm->host.boot_ms(vm->host.self));
    return 1;
}

static int
parse_time(lua_State *state)
{
    int64_t time_ms;
    if (lua_type(state, 1) != LUA_TSTRING ||
        vito_time_parse(lua_tostring(state, 1), &time_ms) != RT_OK)
        return 0;
    lua_pushnumber(state, (lua_Number)time_ms);
    return 1;
}

static int
start_sleep(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    lua_Integer ms = check_range_raise(state, 1, SLEEP_MS_MAX);
    leg->is_awake = false;
    vm->host.sleep(vm->host.self, leg->port, (uint32_t)ms);
    return 0;
}

static int
is_awake(lua_State *state)
{
    lua_pushboolean(state, running_raise(state)->is_awake);
    return 1;
}

static int64_t
check_amount_raise(lua_State *state, int index)
{
    lua_Number number = luaL_checknumber(state, index);
    luaL_argcheck(state, number >= -1 && number < 9007199254740992.0, index, "out of range");
    return (int64_t)number;
}

/* True: go on. False: wait until is_covered. */
static int
use(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    struct adapter_use used = {.tokens = check_amount_raise(state, 1),
                               .media_ms = check_amount_raise(state, 2)};
    leg->is_covered = vm->host.use(vm->host.self, leg->port, &used);
    lua_pushboolean(state, leg->is_covered || leg->is_cut);
    return 1;
}

static int
is_covered(lua_State *state)
{
    lua_pushboolean(state, running_raise(state)->is_covered);
    return 1;
}

static int
final_use(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    struct adapter_final_use used = {.tokens = check_amount_raise(state, 1),
                                     .media_ms = check_amount_raise(state, 2)};
    vm->host.final_use(vm->host.self, leg->port, &used);
    return 0;
}

/* True: go on. False: wait until has_room. A leg that was cut has nobody listening. */
static int
emit_text(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    size_t size_bytes;
    const char *text = luaL_checklstring(state, 1, &size_bytes);
    leg->has_room = leg->is_cut || size_bytes == 0 ||
                    vm->host.emit_text(vm->host.self, leg->port, text, size_bytes);
    lua_pushboolean(state, leg->has_room);
    return 1;
}

static int
emit_audio(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    size_t size_bytes;
    const char *audio = luaL_checklstring(state, 1, &size_bytes);
    leg->has_room = leg->is_cut || size_bytes == 0 ||
                    vm->host.emit_audio(vm->host.self, leg->port, audio, size_bytes);
    lua_pushboolean(state, leg->has_room);
    return 1;
}

static int
has_room(lua_State *state)
{
    lua_pushboolean(state, running_raise(state)->has_room);
    return 1;
}

/* A text of the table at `index`, which keeps it; NULL when there is none. */
static const char *
optional_text_raise(lua_State *state, int index, const char *name)
{
    lua_getfield(state, index, name);
    const char *text = NULL;
    if (lua_type(state, -1) == LUA_TSTRING)
        text = lua_tostring(state, -1);
    if (!lua_isnil(state, -1) && (text == NULL || strlen(text) != lua_objlen(state, -1)))
        luaL_error(state, "http: %s must be a text", name);
    lua_pop(state, 1);
    return text;
}

static const char *
text_raise(lua_State *state, int index, const char *name)
{
    const char *text = optional_text_raise(state, index, name);
    if (text == NULL)
        luaL_error(state, "http: %s is missing", name);
    return text;
}

static uint32_t
timeout_raise(lua_State *state, int index, const char *name)
{
    lua_getfield(state, index, name);
    lua_Number ms = lua_tonumber(state, -1);
    if (!(ms > 0 && ms <= TIMEOUT_MS_MAX))
        luaL_error(state, "http: %s must be from 1 to %d", name, TIMEOUT_MS_MAX);
    lua_pop(state, 1);
    return (uint32_t)ms;
}

static bool
has_only(const char *text, size_t size_bytes, unsigned char from, unsigned char to)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if ((unsigned char)text[i] < from || (unsigned char)text[i] > to)
            return false;
    }
    return true;
}

static const char *
path_raise(lua_State *state, int index)
{
    const char *path = text_raise(state, index, "path");
    size_t size_bytes = strlen(path);
    if (path[0] != '/' || size_bytes > PATH_BYTES_MAX || !has_only(path, size_bytes, '!', '~'))
        luaL_error(state, "http: path must begin with / and be printable, without spaces");
    return path;
}

/* What the host says itself about a request. */
static bool
is_hosts_header(const char *name)
{
    static const char *const names[] = {"host", "content-length", "transfer-encoding", "connection",
                                        "x-request-id"};
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Reads the table of headers on top of the stack. */
static size_t
headers_raise(lua_State *state, struct adapter_header headers[HEADERS_MAX])
{
    size_t count = 0;
    lua_pushnil(state);
    for (; lua_next(state, -2); lua_pop(state, 1)) {
        if (lua_type(state, -2) != LUA_TSTRING || lua_type(state, -1) != LUA_TSTRING)
            luaL_error(state, "http: headers are texts");
        const char *name = lua_tostring(state, -2), *value = lua_tostring(state, -1);
        if (count == HEADERS_MAX || is_hosts_header(name) || name[0] == '\0' ||
            !has_only(name, lua_objlen(state, -2), '!', '~') || strchr(name, ':') != NULL ||
            !has_only(value, lua_objlen(state, -1), ' ', '~'))
            luaL_error(state, "http: header %s cannot be sent", name);
        headers[count++] = (struct adapter_header){.name = name, .value = value};
    }
    return count;
}

/* The body may have any bytes in it. */
static void
body_raise(lua_State *state, int index, struct adapter_http *request)
{
    lua_getfield(state, index, "body");
    request->body_bytes = lua_objlen(state, -1);
    if (lua_type(state, -1) != LUA_TSTRING || request->body_bytes > TLUA_HTTP_BODY_BYTES_MAX)
        luaL_error(state, "http: the body must be a text of at most %d bytes",
                   TLUA_HTTP_BODY_BYTES_MAX);
    request->body = lua_tostring(state, -1);
    lua_pop(state, 1);
}

static void
auth_raise(lua_State *state, int index, struct adapter_http *request)
{
    lua_getfield(state, index, "auth");
    luaL_checktype(state, -1, LUA_TTABLE);
    int auth = lua_gettop(state);
    request->secret_name = optional_text_raise(state, auth, "secret");
    request->secret_header = optional_text_raise(state, auth, "header");
    request->secret_prefix = optional_text_raise(state, auth, "prefix");
    if (request->secret_name != NULL && request->secret_header == NULL)
        luaL_error(state, "http: auth.header is missing");
    lua_pop(state, 1);
}

static bool
flag_raise(lua_State *state, int index, const char *name)
{
    lua_getfield(state, index, name);
    luaL_checktype(state, -1, LUA_TBOOLEAN);
    bool flag = lua_toboolean(state, -1);
    lua_pop(state, 1);
    return flag;
}

static struct adapter_http
read_request_raise(lua_State *state, struct adapter_header headers[HEADERS_MAX])
{
    struct adapter_http request = {
        .method = text_raise(state, 1, "method"),
        .path = path_raise(state, 1),
        .headers = headers,
        .idle_timeout_ms = timeout_raise(state, 1, "idle_ms"),
        .total_timeout_ms = timeout_raise(state, 1, "total_ms"),
        .is_repeatable = flag_raise(state, 1, "repeatable"),
    };
    body_raise(state, 1, &request);
    auth_raise(state, 1, &request);
    lua_getfield(state, 1, "headers");
    luaL_checktype(state, -1, LUA_TTABLE);
    request.header_count = headers_raise(state, headers);
    return request;
}

/* http_start(request): the exchange's number, or nil and why not. */
static int
http_start(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    struct adapter_header headers[HEADERS_MAX];
    luaL_checktype(state, 1, LUA_TTABLE);
    struct adapter_http request = read_request_raise(state, headers);
    struct tlua_exchange *exchange = tlua_exchange_add(leg, 0);
    enum rt_status status = RT_FULL;
    if (exchange != NULL) {
        status = vm->host.http_start(vm->host.self, leg->port, &request, &exchange->id);
        if (status != RT_OK)
            tlua_exchange_remove(leg, exchange);
    }
    if (status == RT_OK) {
        lua_pushnumber(state, (lua_Number)exchange->id);
        return 1;
    }
    lua_pushnil(state);
    lua_pushstring(state, rt_status_name(status));
    return 2;
}

/* The exchange that argument 1 names; NULL when it was closed. */
static struct tlua_exchange *
exchange_raise(lua_State *state)
{
    return tlua_exchange_find(running_raise(state), (uint64_t)check_amount_raise(state, 1));
}

static int
http_head(lua_State *state)
{
    const struct tlua_exchange *exchange = exchange_raise(state);
    if (exchange == NULL || !exchange->has_head)
        return 0;
    lua_createtable(state, 0, 2);
    lua_pushinteger(state, exchange->status);
    lua_setfield(state, -2, "status");
    if (exchange->retry_after_s >= 0) {
        lua_pushnumber(state, (lua_Number)exchange->retry_after_s);
        lua_setfield(state, -2, "retry_after");
    }
    return 1;
}

/* Bytes that have come, or nil when there are none now. */
static int
http_take(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_exchange *exchange = exchange_raise(state);
    if (exchange == NULL || exchange->read_bytes == exchange->size_bytes)
        return 0;
    size_t taken_bytes = exchange->size_bytes - exchange->read_bytes;
    if (taken_bytes > PIECE_BYTES_MAX)
        taken_bytes = PIECE_BYTES_MAX;
    lua_pushlstring(state, exchange->bytes + exchange->read_bytes, taken_bytes);
    exchange->read_bytes += taken_bytes;
    vm->host.http_consume(vm->host.self, running_raise(state)->port, exchange->id,
                          (uint32_t)taken_bytes);
    return 1;
}

/* How it ended, or nil while it goes on. */
static int
http_result(lua_State *state)
{
    static const char *const names[] = {
        [NET_HTTP_COMPLETE] = "complete",
        [NET_HTTP_STOPPED] = "stopped",
        [NET_HTTP_UNREACHED] = "unreached",
        [NET_HTTP_TIMEOUT] = "timeout",
        [NET_HTTP_CUT] = "cut",
        [NET_HTTP_REFUSED] = "refused",
    };
    const struct tlua_exchange *exchange = exchange_raise(state);
    if (exchange == NULL)
        lua_pushliteral(state, "stopped"); /* closed by the script itself */
    else if (exchange->has_ended)
        lua_pushstring(state, names[exchange->result]);
    else
        lua_pushnil(state);
    return 1;
}

static int
http_stop(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    const struct tlua_exchange *exchange = exchange_raise(state);
    if (exchange != NULL && !exchange->has_ended)
        vm->host.http_stop(vm->host.self, running_raise(state)->port, exchange->id);
    return 0;
}

static int
http_close(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    struct tlua_leg *leg = running_raise(state);
    struct tlua_exchange *exchange = exchange_raise(state);
    if (exchange == NULL)
        return 0;
    if (!exchange->has_ended)
        vm->host.http_cancel(vm->host.self, leg->port, exchange->id);
    tlua_exchange_remove(leg, exchange);
    return 0;
}

void
tlua_adapter_native_push_raise(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"suspend", suspend},       {"take_cut", take_cut},     {"is_cut", is_cut},
        {"wall_ms", wall_ms},       {"boot_ms", boot_ms},       {"parse_time", parse_time},
        {"sleep", start_sleep},     {"is_awake", is_awake},     {"use", use},
        {"is_covered", is_covered}, {"final_use", final_use},   {"emit_text", emit_text},
        {"emit_audio", emit_audio}, {"has_room", has_room},     {"http_start", http_start},
        {"http_head", http_head},   {"http_take", http_take},   {"http_result", http_result},
        {"http_stop", http_stop},   {"http_close", http_close}, {NULL, NULL},
    };
    lua_newtable(state);
    luaL_register(state, NULL, functions);
}
