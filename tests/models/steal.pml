/*
 * The run queue: its owner pushes and pops while two thieves take the older half.
 *
 * A ring of three slots and more actors than slots, so that each slot is used again. A line that
 * begins with `C` names the statement that the step below it mirrors; script/model refuses to run
 * when that statement is gone from the source.
 *
 * Weak compare-and-swaps may fail for no reason. Plain loads may see any moment between two steps.
 *
 * Checked: every actor comes out once, to one taker; a taker gets what lay in the slots it claimed
 * and not what was put there later; a full queue refuses; and when all are done nothing is left.
 */
#define SLOTS 3
#define ACTORS 4
#define STEAL_MAX 2
#define ROUNDS 1
#define NONE 0

byte head, tail;
byte slots[SLOTS];
byte taken[ACTORS + 1];  /* how often each came out */
byte refused;

/* rt_run_queue_push() */
inline push(actor) {
    /* C runtime/run_queue.c: unsigned head = atomic_load_explicit(&queue->head, memory_order_acquire) */
    seen_head = head;
    if
    /* C runtime/run_queue.c: if (tail - head >= RT_RUN_QUEUE_SLOTS) return false */
    :: tail - seen_head >= SLOTS -> atomic { refused++; taken[actor]++ } /* to the inject list */
    :: else ->
        /* C runtime/run_queue.c: atomic_store_explicit(&queue->slots[tail % RT_RUN_QUEUE_SLOTS], actor, memory_order_relaxed) */
        slots[tail % SLOTS] = actor;
        /* C runtime/run_queue.c: atomic_store_explicit(&queue->tail, tail + 1, memory_order_seq_cst) */
        tail++
    fi
}

/* rt_run_queue_pop(): the `result`, or NONE. */
inline pop() {
    /* C runtime/run_queue.c: unsigned head = atomic_load_explicit(&queue->head, memory_order_relaxed) */
    seen_head = head;
    do
    :: seen_head == tail -> result = NONE; break
    :: else ->
        /* C runtime/run_queue.c: atomic_load_explicit(&queue->slots[head % RT_RUN_QUEUE_SLOTS], memory_order_relaxed) */
        result = slots[seen_head % SLOTS];
        /* C runtime/run_queue.c: if (atomic_compare_exchange_weak_explicit(&queue->head, &head, head + 1, memory_order_acq_rel, memory_order_relaxed)) return actor */
        if
        :: atomic { head == seen_head -> head++; taken[result]++ } break
        :: seen_head = head
        fi
    od
}

active proctype owner() {
    byte actor = 1, seen_head, result;
    do
    :: actor <= ACTORS -> push(actor); actor++
    :: pop()
    :: actor > ACTORS && head == tail -> break
    od
}

/* rt_run_queue_steal() */
active [2] proctype thief() {
    byte seen_head, seen_tail, waiting, count, i, rounds;
    byte loot[STEAL_MAX];
    do
    :: rounds == ROUNDS -> break
    :: else ->
        rounds++;
        /* C runtime/run_queue.c: unsigned head = atomic_load_explicit(&victim->head, memory_order_acquire) */
        seen_head = head;
        do
        :: true ->
            /* C runtime/run_queue.c: unsigned tail = atomic_load_explicit(&victim->tail, memory_order_seq_cst) */
            seen_tail = tail;
            waiting = seen_tail - seen_head;
            if
            /* C runtime/run_queue.c: if (waiting == 0) return 0 */
            :: waiting == 0 -> break
            /* C runtime/run_queue.c: if (waiting > RT_RUN_QUEUE_SLOTS) { */
            :: waiting > SLOTS -> seen_head = head
            :: else ->
                /* C runtime/run_queue.c: unsigned count = waiting - waiting / 2; if (count > actors_max) count = actors_max */
                count = waiting - waiting / 2;
                count = (count > STEAL_MAX -> STEAL_MAX : count);
                i = 0;
                do
                :: i < count ->
                    /* C runtime/run_queue.c: actors_out[i] = atomic_load_explicit(&victim->slots[(head + i) % RT_RUN_QUEUE_SLOTS], memory_order_relaxed) */
                    loot[i] = slots[(seen_head + i) % SLOTS];
                    i++
                :: else -> break
                od;
                /* C runtime/run_queue.c: if (atomic_compare_exchange_weak_explicit(&victim->head, &head, head + count, memory_order_acq_rel, memory_order_acquire)) return count */
                if
                :: atomic {
                        head == seen_head -> head = head + count;
                        i = 0;
                        do
                        :: i < count -> taken[loot[i]]++; i++
                        :: else -> break
                        od
                    }
                    break
                :: seen_head = head
                fi
            fi
        od;
        atomic { seen_head = 0; seen_tail = 0; waiting = 0; count = 0; i = 0; loot[0] = 0; loot[1] = 0 }
    od
}

init {
    timeout; /* nothing moves any more */
    byte actor = 1;
    do
    :: actor <= ACTORS -> assert(taken[actor] == 1); actor++
    :: else -> break
    od;
    assert(taken[NONE] == 0 && head == tail)
}
