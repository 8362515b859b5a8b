#include "runtime/timer_wheel.h"

#include "runtime/assert.h"
#include "runtime/compiler.h"

enum { LEVEL_SHIFT = 6 };
_Static_assert(1 << LEVEL_SHIFT == RT_WHEEL_SLOTS, "one word of bits a level");

static uint64_t
tick_of(uint64_t ns)
{
    return ns >> RT_WHEEL_TICK_SHIFT;
}

static struct rt_wheel_entry *
entry_of(struct rt_wheel_link *link)
{
    return RT_CONTAINER_OF(link, struct rt_wheel_entry, link);
}

void
rt_wheel_init(struct rt_wheel *wheel, uint64_t now_ns)
{
    *wheel = (struct rt_wheel){.tick = tick_of(now_ns)};
    for (unsigned level = 0; level < RT_WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < RT_WHEEL_SLOTS; slot++) {
            struct rt_wheel_link *ring = &wheel->slots[level][slot];
            ring->next = ring->previous = ring;
        }
}

/* Puts an idle entry where a slot's width still tells its deadline from the present. */
static void
place(struct rt_wheel *wheel, struct rt_wheel_entry *entry)
{
    uint64_t tick = tick_of(entry->deadline_ns);
    if (tick < wheel->tick)
        tick = wheel->tick;
    uint64_t reach = tick - wheel->tick;
    unsigned level = 0;
    while (level < RT_WHEEL_LEVELS - 1 && reach >= UINT64_C(1) << (LEVEL_SHIFT * (level + 1)))
        level++;
    uint64_t span = UINT64_C(1) << (LEVEL_SHIFT * RT_WHEEL_LEVELS);
    if (reach >= span)
        tick = wheel->tick + span - 1; /* parked in the farthest slot, placed again from there */

    unsigned slot = (tick >> (LEVEL_SHIFT * level)) % RT_WHEEL_SLOTS;
    struct rt_wheel_link *ring = &wheel->slots[level][slot];
    entry->link.next = ring;
    entry->link.previous = ring->previous;
    ring->previous->next = &entry->link;
    ring->previous = &entry->link;
    wheel->occupied[level] |= UINT64_C(1) << slot;
}

void
rt_wheel_insert(struct rt_wheel *wheel, struct rt_wheel_entry *entry, uint64_t deadline_ns)
{
    RT_ASSERT(!rt_wheel_entry_is_set(entry));
    entry->deadline_ns = deadline_ns;
    place(wheel, entry);
}

void
rt_wheel_remove(struct rt_wheel *wheel, struct rt_wheel_entry *entry)
{
    if (!rt_wheel_entry_is_set(entry))
        return;
    struct rt_wheel_link *next = entry->link.next;
    struct rt_wheel_link *previous = entry->link.previous;
    previous->next = next;
    next->previous = previous;
    entry->link = (struct rt_wheel_link){NULL, NULL};
    if (next == previous && next->next == next) { /* only the slot itself is left */
        size_t index = (size_t)(next - &wheel->slots[0][0]);
        wheel->occupied[index / RT_WHEEL_SLOTS] &= ~(UINT64_C(1) << index % RT_WHEEL_SLOTS);
    }
}

/* Places the entries of one slot again, now that the present has come nearer. */
static void
cascade(struct rt_wheel *wheel, unsigned level, unsigned slot)
{
    struct rt_wheel_link *ring = &wheel->slots[level][slot];
    struct rt_wheel_link *last = ring->previous;
    for (struct rt_wheel_link *link = ring->next, *next; link != ring; link = next) {
        next = link->next;
        bool done = link == last; /* a far entry can come back to this very slot */
        rt_wheel_remove(wheel, entry_of(link));
        place(wheel, entry_of(link));
        if (done)
            break;
    }
}

/* Moves the present to `tick`, emptying every outer slot whose time begins. Only called when
 * nothing in the first level lies before `tick`. */
static void
move_to(struct rt_wheel *wheel, uint64_t tick)
{
    wheel->tick = tick;
    for (unsigned level = RT_WHEEL_LEVELS - 1; level > 0; level--) {
        uint64_t width = UINT64_C(1) << (LEVEL_SHIFT * level);
        if (tick % width == 0)
            cascade(wheel, level, (tick >> (LEVEL_SHIFT * level)) % RT_WHEEL_SLOTS);
    }
}

/* The tick at which the first occupied slot of a level begins; RT_WHEEL_NEVER if none. */
static uint64_t
first_tick(const struct rt_wheel *wheel, unsigned level)
{
    uint64_t bits = wheel->occupied[level];
    if (bits == 0)
        return RT_WHEEL_NEVER;
    uint64_t here = wheel->tick >> (LEVEL_SHIFT * level);
    unsigned turn = here % RT_WHEEL_SLOTS;
    bits = turn == 0 ? bits : bits >> turn | bits << (RT_WHEEL_SLOTS - turn);
    if (level > 0) {
        /* The outer slot we are in was emptied when it began: what it holds now is a whole
         * turn away. */
        bits &= ~UINT64_C(1);
        if (bits == 0)
            return (here + RT_WHEEL_SLOTS) << (LEVEL_SHIFT * level);
    }
    return (here + (unsigned)__builtin_ctzl(bits)) << (LEVEL_SHIFT * level);
}

static uint64_t
next_outer_tick(const struct rt_wheel *wheel)
{
    uint64_t soonest = RT_WHEEL_NEVER;
    for (unsigned level = 1; level < RT_WHEEL_LEVELS; level++) {
        uint64_t tick = first_tick(wheel, level);
        if (tick < soonest)
            soonest = tick;
    }
    return soonest;
}

struct rt_wheel_entry *
rt_wheel_expire(struct rt_wheel *wheel, uint64_t now_ns)
{
    uint64_t now_tick = tick_of(now_ns);
    for (;;) {
        struct rt_wheel_link *ring = &wheel->slots[0][wheel->tick % RT_WHEEL_SLOTS];
        for (struct rt_wheel_link *link = ring->next; link != ring; link = link->next) {
            struct rt_wheel_entry *entry = entry_of(link);
            if (entry->deadline_ns <= now_ns) {
                rt_wheel_remove(wheel, entry);
                return entry;
            }
        }
        if (wheel->tick >= now_tick)
            return NULL;
        RT_ASSERT(ring->next == ring); /* a past slot keeps nothing */
        uint64_t tick = now_tick;
        uint64_t inner = first_tick(wheel, 0);
        uint64_t outer = next_outer_tick(wheel);
        if (inner < tick)
            tick = inner;
        if (outer < tick)
            tick = outer;
        move_to(wheel, tick);
    }
}

uint64_t
rt_wheel_next_ns(const struct rt_wheel *wheel)
{
    uint64_t outer = next_outer_tick(wheel);
    uint64_t soonest = outer == RT_WHEEL_NEVER ? RT_WHEEL_NEVER : outer << RT_WHEEL_TICK_SHIFT;
    uint64_t inner = first_tick(wheel, 0);
    if (inner == RT_WHEEL_NEVER)
        return soonest;
    const struct rt_wheel_link *ring = &wheel->slots[0][inner % RT_WHEEL_SLOTS];
    for (const struct rt_wheel_link *link = ring->next; link != ring; link = link->next) {
        const struct rt_wheel_entry *entry = entry_of((struct rt_wheel_link *)(uintptr_t)link);
        if (entry->deadline_ns < soonest)
            soonest = entry->deadline_ns;
    }
    return soonest;
}
