/*
 * The event count: who sleeps, whom to wake, under every interleaving.
 *
 * Three workers with rings that are stolen from, work from outside, and work pinned to a worker. A
 * turn may end, may push more work, or may last for ever. What a ring holds is a number here: the
 * ring itself is steal.pml's. A line that begins with `C` names the statement that the step below
 * it mirrors; script/model refuses to run when that statement is gone from the source.
 *
 * Stores that are not sequentially consistent become visible later than loads that follow them:
 * SEQ_CST takes effect at once, RELEASE at any later moment (the processor's store buffer).
 *
 * A ring may be stolen from or left to its worker, as patience has it; while one holds work, one
 * sleeper watches, and it alone may wake without a bell.
 *
 * Checked: when nothing can move any more and some worker is free, no work is left that it could
 * do (a lost wake-up); and the searchers are counted exactly.
 */
#ifdef FROM_OUTSIDE
#define WORKERS 2
#define INJECTORS 2
#define PINNED 0
#define PUSHES 0
#endif
#ifdef FOR_ONE
#define WORKERS 2
#define INJECTORS 1
#define PINNED 1
#define PUSHES 0
#endif
#ifdef FROM_INSIDE
#define WORKERS 2
#define INJECTORS 1
#define PINNED 0
#define PUSHES 2
#endif
#ifdef THREE
#define WORKERS 3
#define INJECTORS 0
#define PINNED 0
#define PUSHES 2
#endif
#define BIT(worker) (1 << (worker))
#define NOBODY 255

mtype = { SEQ_CST, RELEASE };

byte sleepers;            /* bits */
byte searchers;
bool watched;
byte ring[WORKERS];       /* as others see it */
byte in_store_buffer[WORKERS];
byte injected;
bool inbox[WORKERS];
bool bell[WORKERS];       /* ev_async: rung stays rung until the loop is run */
bool hogged[WORKERS];     /* in a turn that never ends */
byte pushes_left = PUSHES;

inline store_tail(worker, order) {
    if
    :: order == SEQ_CST -> ring[worker]++
    :: else -> in_store_buffer[worker]++
    fi
}

/* Makes the stores of a buffer visible, at any time. */
active proctype store_buffer() {
end_empty:
    do
    :: atomic { in_store_buffer[0] > 0 -> in_store_buffer[0]--; ring[0]++ }
    :: atomic { in_store_buffer[1] > 0 -> in_store_buffer[1]--; ring[1]++ }
#ifdef THREE
    :: atomic { in_store_buffer[2] > 0 -> in_store_buffer[2]--; ring[2]++ }
#endif
    od
}

/* wake_somebody() with rt_idle_pick(). */
inline wake_somebody() {
    do
    /* C runtime/idle.h: while ((sleepers = atomic_load_explicit(&idle->sleepers, memory_order_seq_cst)) != 0) */
    :: atomic { sleepers == 0 -> break }
    :: atomic { sleepers != 0 -> seen = sleepers }
        /* C runtime/idle.h: if (!atomic_compare_exchange_strong_explicit(&idle->searchers, &none, 1, memory_order_seq_cst, memory_order_seq_cst)) return -1 */
        atomic {
            if
            :: searchers == 0 -> searchers = 1
            :: else -> seen = NOBODY
            fi
        }
        if
        :: seen == NOBODY -> break
        :: else -> skip
        fi;
        do
        :: seen == 0 -> break
        :: else ->
            /* C runtime/idle.h: sleepers = atomic_fetch_and_explicit(&idle->sleepers, ~bit, memory_order_seq_cst) */
            atomic {
                picked = (seen & BIT(0) -> 0 : (seen & BIT(1) -> 1 : 2));
                seen = sleepers;
                sleepers = sleepers & ~BIT(picked)
            }
            if
            :: seen & BIT(picked) -> break
            :: else -> skip
            fi
        od;
        if
        /* C runtime/scheduler.c: rt_loop_wake(scheduler->threads[worker]) */
        :: seen & BIT(picked) -> bell[picked] = true; break
        /* C runtime/idle.h: atomic_fetch_sub_explicit(&idle->searchers, 1, memory_order_seq_cst) */
        :: else -> searchers--
        fi
    od;
    seen = 0;
    picked = 0
}

/* Each posts an actor from a thread that is no worker. */
#if INJECTORS > 0
active [INJECTORS] proctype injector() {
    byte seen, picked;
    /* C runtime/scheduler.c: atomic_fetch_add_explicit(&scheduler->inject_count, 1, memory_order_seq_cst) */
    injected++;
    wake_somebody()
}
#endif

#if PINNED > 0
/* push_inbox() from a thread that is no worker. */
active proctype pinner() {
    /* C runtime/scheduler.c: while (!atomic_compare_exchange_weak_explicit(&thread->inbox, &newest, actor, memory_order_seq_cst, memory_order_relaxed)) */
    inbox[1] = true;
    if
    /* C runtime/scheduler.c: if (rt_idle_is_asleep(&thread->scheduler->idle, thread->worker.index)) */
    :: sleepers & BIT(1) -> bell[1] = true
    :: else -> skip
    fi
}
#endif

/* take_local(): one step, for what is missed here is there for has_work(). */
inline take_local() {
    atomic {
        found = true;
        if
        :: inbox[me] -> inbox[me] = false
        :: !inbox[me] && ring[me] > 0 -> ring[me]--
        :: !inbox[me] && ring[me] == 0 && injected > 0 -> injected--
        :: else -> found = false
        fi
    }
}

/* steal() of one victim: half of its ring, the rest of it to our own. */
inline steal_from(victim) {
    loot = 0;
    if
    :: found -> skip
    :: else ->
        atomic {
            if
            /* C runtime/scheduler.c: if (victim == thread || !has_waited(thread, victim, now_ns)) continue */
            :: ring[victim] > 0 -> loot = ring[victim] - ring[victim] / 2
            :: true -> skip
            fi;
            ring[victim] = ring[victim] - loot;
            found = loot > 0
        }
        do
        :: loot > 1 -> store_tail(me, SEQ_CST); loot--
        :: else -> break
        od;
        loot = 0
    fi
}

inline find_work() {
    take_local();
    if
    :: !found ->
        if
        :: !searching ->
            searching = true;
            /* C runtime/idle.h: atomic_fetch_add_explicit(&idle->searchers, 1, memory_order_seq_cst) */
            searchers++
        :: else -> skip
        fi;
        steal_from((me + 1) % WORKERS);
#ifdef THREE
        steal_from((me + 2) % WORKERS)
#endif
    :: else -> skip
    fi;
    if
    :: found -> stop_searching()
    :: else -> skip
    fi
}

inline stop_searching() {
    if
    :: searching ->
        searching = false;
        /* C runtime/idle.h: return atomic_fetch_sub_explicit(&idle->searchers, 1, memory_order_seq_cst) == 1 */
        atomic { assert(searchers > 0); searchers--; was_last = searchers == 0 }
        if
        /* C runtime/scheduler.c: if (rt_idle_search_end(&thread->scheduler->idle) && found) wake_somebody(thread->scheduler) */
        :: was_last && found -> wake_somebody()
        :: else -> skip
        fi;
        was_last = false
    :: else -> skip
    fi
}

/* watch(), and the sleep without it. */
inline sleep() {
    /* C runtime/scheduler.c: if (!rt_idle_watch_begin(idle)) { */
    /* C runtime/idle.h: return !atomic_exchange_explicit(&idle->watched, true, memory_order_seq_cst) */
    atomic {
        watching = rings && !watched;
        watched = watched || watching
    }
end_asleep:
    if
    :: atomic { bell[me] -> bell[me] = false }
    :: watching -> skip /* the alarm */
    fi;
    if
    :: watching ->
        watching = false;
        /* C runtime/idle.h: atomic_store_explicit(&idle->watched, false, memory_order_seq_cst) */
        watched = false
    :: else -> skip
    fi
}

inline sleep_until_needed() {
    stop_searching(); /* with `found` false: it wakes nobody */
    /* C runtime/scheduler.c: rt_idle_prepare(idle, thread->worker.index); bool found = has_work(thread, &rings) */
    /* C runtime/idle.h: atomic_fetch_or_explicit(&idle->sleepers, UINT64_C(1) << worker, memory_order_seq_cst) */
    sleepers = sleepers | BIT(me);
    /* C runtime/scheduler.c: atomic_load_explicit(&scheduler->inject_count, memory_order_seq_cst) > 0 */
    found = injected > 0;
    /* C runtime/scheduler.c: atomic_load_explicit(&thread->inbox, memory_order_seq_cst) != NULL */
    found = found || inbox[me];
    /* C runtime/scheduler.c: *rings_out |= rt_run_queue_count(&scheduler->threads[i]->ring) > 0 */
    rings = ring[(me + 1) % WORKERS] > 0;
#ifdef THREE
    rings = rings || ring[(me + 2) % WORKERS] > 0;
#endif
    if
    :: found -> skip
    :: else -> sleep()
    fi;
    rings = false;
    /* C runtime/idle.h: return !(atomic_fetch_and_explicit(&idle->sleepers, ~bit, memory_order_seq_cst) & bit) */
    atomic {
        searching = !(sleepers & BIT(me));
        sleepers = sleepers & ~BIT(me)
    }
    if
    /* C runtime/scheduler.c: } else if (found) { thread->searching = true; rt_idle_search_begin(idle); } */
    :: found && !searching -> searching = true; searchers++
    :: else -> skip
    fi
}

/* One turn: it may push, and end or go on for ever. */
inline turn() {
    if
#ifndef THREE
    :: true -> skip
#endif
    :: true -> hogged[me] = true;
end_hogged: false
    :: pushes_left > 0 ->
        pushes_left--;
        /* C runtime/run_queue.c: atomic_store_explicit(&queue->tail, tail + 1, memory_order_seq_cst) */
        store_tail(me, SEQ_CST);
        /* C runtime/scheduler.c: else if (!rt_idle_is_watched(&scheduler->idle)) wake_somebody(scheduler) */
        /* C runtime/idle.h: return atomic_load_explicit(&idle->watched, memory_order_seq_cst) */
        if
        :: watched -> skip
        :: else -> wake_somebody()
        fi;
        if
        :: true -> skip
        :: true -> hogged[me] = true;
end_hogged_after_push: false
        fi
    fi
}

proctype worker(byte me) {
    byte seen, picked, loot;
    bool searching, found, rings, watching, was_last;

    do
    :: find_work();
        if
        :: found -> turn()
        :: else -> sleep_until_needed()
        fi
    od
}

#define IS_FREE(worker) (!hogged[worker])
#ifdef THREE
#define SOME_FREE (IS_FREE(0) || IS_FREE(1) || IS_FREE(2))
#define IN_RINGS (ring[0] + ring[1] + ring[2])
#else
#define SOME_FREE (IS_FREE(0) || IS_FREE(1))
#define IN_RINGS (ring[0] + ring[1])
#endif

init {
    atomic {
        ring[0] = (INJECTORS == 0 -> 1 : 0);
        run worker(0);
        run worker(1);
#ifdef THREE
        run worker(2)
#endif
    }
    timeout; /* nothing moves any more */
    assert(!SOME_FREE || (injected == 0 && IN_RINGS == 0));
    assert(!IS_FREE(1) || !inbox[1]);
    assert(searchers == 0)
}
