/* What ids promise: the ULID of the specification, in order of time; and which texts may name a
 * tenant. */
#include <criterion/criterion.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/id.h"

TestSuite(id, .timeout = 60);

static const uint8_t zeros[10];
static const uint8_t ones[10] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

Test(id, a_prefix_and_a_ulid)
{
    char id[VITO_ID_BYTES];
    vito_id_make(id, "leg", 1469918176385, zeros); /* the specification's example time */
    cr_assert_str_eq(id, "leg_01ARYZ6S410000000000000000");
    vito_id_make(id, "twelve_chars", (INT64_C(1) << 48) - 1, ones);
    cr_assert_str_eq(id, "twelve_chars_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    vito_id_make(id, "", 0, zeros);
    cr_assert_str_eq(id, "_00000000000000000000000000");
}

Test(id, every_random_bit_has_its_place)
{
    char seen[80][VITO_ID_BYTES];
    for (int bit = 0; bit < 80; bit++) {
        uint8_t random[10] = {0};
        random[bit / 8] = (uint8_t)(0x80 >> bit % 8);
        vito_id_make(seen[bit], "x", 0, random);
        for (int other = 0; other < bit; other++)
            cr_assert_str_neq(seen[bit], seen[other]);
        cr_assert(bit == 0 || strcmp(seen[bit], seen[bit - 1]) < 0, "high bits come first");
    }
}

Test(id, the_random_bytes_can_be_read_back)
{
    uint8_t random[10], read[10];
    char id[VITO_ID_BYTES];
    for (int i = 0; i < 1000; i++) {
        for (int j = 0; j < 10; j++)
            random[j] = (uint8_t)(i * 37 + j * 101 + (i >> j));
        vito_id_make(id, "leg", 1469918176385 + i, random);
        cr_assert(vito_id_random(id, read));
        cr_assert_arr_eq(read, random, sizeof(read));
    }
    cr_assert_not(vito_id_random("leg", read));
    cr_assert_not(vito_id_random("leg_01ARYZ6S41000000000000000", read), "too short");
    cr_assert_not(vito_id_random("leg_01ARYZ6S41000000000000000U", read), "no such digit");
}

Test(id, later_ids_sort_behind_earlier_ones)
{
    struct rt_random random;
    rt_random_seed(&random, 3);
    char earlier[VITO_ID_BYTES] = "", later[VITO_ID_BYTES];
    int64_t wall_ms = 1;
    for (int i = 0; i < 10000; i++) {
        uint8_t bytes[10];
        rt_random_bytes(&random, bytes, sizeof(bytes));
        wall_ms += 1 + (int64_t)rt_random_below(&random, 1 << 20);
        vito_id_make(later, "leg", wall_ms, bytes);
        cr_assert_lt(strcmp(earlier, later), 0);
        memcpy(earlier, later, sizeof(earlier));
    }
}

Test(id, a_clock_before_1970_still_makes_an_id)
{
    char id[VITO_ID_BYTES];
    vito_id_make(id, "leg", -1, zeros);
    cr_assert_str_eq(id, "leg_00000000000000000000000000");
}

Test(id, tenant_ids_are_lower_case_labels)
{
    static const char *const right[] = {
        "a",  "0",    "andres-cantor",
        "a-", "a--b", "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz"};
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
        cr_assert(vito_tenant_id_is_valid(right[i]), "%s", right[i]);
    cr_assert_eq(strlen(right[5]), 63);
}

Test(id, everything_else_names_no_tenant)
{
    static const char *const wrong[] = {
        "",
        "-",
        "-a",
        "A",
        "a_b",
        "a.b",
        "a b",
        "a/b",
        "a\n",
        "../x",
        "andr\xc3\xa9s",
        "%61",
        "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijklmnopqrstuvwxyz0"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_not(vito_tenant_id_is_valid(wrong[i]), "\"%s\"", wrong[i]);
    cr_assert_not(vito_tenant_id_is_valid(NULL));
}
