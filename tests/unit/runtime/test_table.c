/* What a table promises: every entry is found until it is removed, also among entries of the
 * same hash, and iteration follows insertion. */
#include <criterion/criterion.h>

#include "runtime/random.h"
#include "runtime/table.h"

struct entry {
    struct rt_table_link link;
    uint64_t key;
};

static struct rt_table table;

static void
teardown(void)
{
    rt_table_deinit(&table);
}

TestSuite(table, .fini = teardown, .timeout = 60);

static struct entry *
find(uint64_t key, uint64_t hash)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&table, hash, link)) != NULL)
        if (RT_CONTAINER_OF(link, struct entry, link)->key == key)
            return RT_CONTAINER_OF(link, struct entry, link);
    return NULL;
}

Test(table, an_empty_table_finds_nothing)
{
    cr_assert_null(find(1, rt_hash_u64(1)));
    cr_assert_null(rt_table_first(&table));
}

Test(table, entries_of_one_hash_are_told_apart_by_the_caller)
{
    struct entry entries[3] = {{.key = 1}, {.key = 2}, {.key = 3}};
    for (int i = 0; i < 3; i++)
        cr_assert(rt_table_add(&table, &entries[i].link, 42));
    cr_assert_eq(find(2, 42), &entries[1]);
    rt_table_remove(&table, &entries[1].link);
    cr_assert_null(find(2, 42));
    cr_assert_eq(find(1, 42), &entries[0]);
    cr_assert_eq(find(3, 42), &entries[2]);
}

Test(table, iteration_follows_insertion)
{
    struct entry entries[100];
    for (uint64_t i = 0; i < 100; i++) {
        entries[i].key = i;
        cr_assert(rt_table_add(&table, &entries[i].link, rt_hash_u64(i)));
    }
    rt_table_remove(&table, &entries[0].link);
    uint64_t expected = 1;
    for (struct rt_table_link *link = rt_table_first(&table); link != NULL; link = link->newer)
        cr_assert_eq(RT_CONTAINER_OF(link, struct entry, link)->key, expected++);
    cr_assert_eq(expected, 100);
}

Test(table, random_adds_and_removes_agree_with_a_plain_array)
{
    enum { KEYS = 1000 };
    static struct entry entries[KEYS];
    bool present[KEYS] = {0};
    struct rt_random random;
    rt_random_seed(&random, 7);
    for (int round = 0; round < 20000; round++) {
        uint64_t key = rt_random_below(&random, KEYS);
        entries[key].key = key;
        if (present[key])
            rt_table_remove(&table, &entries[key].link);
        else
            cr_assert(rt_table_add(&table, &entries[key].link, rt_hash_u64(key)));
        present[key] = !present[key];
        uint64_t other = rt_random_below(&random, KEYS);
        cr_assert_eq(find(other, rt_hash_u64(other)) != NULL, present[other]);
    }
}
