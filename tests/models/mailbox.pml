/*
 * The mailbox: two lanes, the bell, park, wake and close, under every interleaving.
 *
 * Two workers may run the actor, three senders send to it, each step is one atomic operation of
 * the code. A line that begins with `C` names the statement that the steps below it mirror;
 * script/model refuses to run when that statement is gone from the source.
 *
 * Checked: whoever is woken is the only reader; every message is read, or bounced, exactly once,
 * also when the actor ends at any message and its memory is given to the next actor; a sender's
 * messages are read in order; no node is freed or pushed again while a sender can still write to
 * it; and when nothing can move any more, nothing is left unread (a lost wake-up).
 */
#define NIL 0
#define EMPTY 1
#define CLOSED 2
#define BELL0 3
#define BELL1 4
#define D1 5
#define D2 6
#define C1 7
#define C2 8
#define NODES 9
#define IS_BELL(node) (node == BELL0 || node == BELL1)
#define LANE_OF(node) (node >= C1 -> CONTROL : DATA)

#define DATA 0
#define CONTROL 1

/* What is forgotten cannot make two states different. */
#define FORGET(locals) atomic { last = NIL; link = NIL; successor = NIL; locals }

mtype = { PUSHED, PUSHED_FIRST, REFUSED, NEXT, READY, PARKED, BUSY };
mtype = { NOT_STUCK, ON_DATA, ON_CONTROL, ON_BELL };

byte head[2] = EMPTY;
byte first[2] = NIL;
byte next[NODES];
bool bell_rung;
bit bell_next;
bool bell_answered;
mtype stuck = NOT_STUCK;

bool linked[NODES];       /* in a queue, or in the reader's hand */
byte fate[NODES];         /* how often it was read, bounced or refused */
byte target[NODES] = 1;   /* the life it was sent to */
byte life = 1;            /* of the actor in this memory; 0 between two lives */
byte readers;
bool scheduled;           /* in a run queue */
bool first_is_busy;       /* the first worker */
bool closing_allowed = true;
/* CLOSE and PAUSE are searched wholly; CROWD is too large for that, but a mutant falls in it. */
#ifdef CROWD
#define TWO_DATA D2
#define TWO_CONTROL C2
bool pause_allowed = false;
#endif
#ifdef CLOSE
#define TWO_DATA NIL
#define TWO_CONTROL C2
bool pause_allowed = false;
#endif
#ifdef PAUSE
#define TWO_DATA D2
#define TWO_CONTROL NIL
bool pause_allowed = true;
#endif

/* rt_queue_push() up to its first exchange and what follows from it. */
inline queue_push(lane, node) {
    atomic {
        assert(!linked[node]);
        linked[node] = true;
        /* C runtime/queue.h: atomic_store_explicit(&last->next, NULL, memory_order_relaxed) */
        next[node] = NIL
    }
    /* C runtime/queue.h: atomic_exchange_explicit(&queue->head, last, memory_order_acq_rel) */
    atomic { before = head[lane]; head[lane] = node }
    if
    :: before == CLOSED ->
        /* C runtime/queue.h: atomic_exchange_explicit(&queue->head, RT_QUEUE_CLOSED, memory_order_acq_rel) */
        atomic {
            last = head[lane];
            head[lane] = CLOSED;
            assert(last > CLOSED);
            result = REFUSED
        }
    :: before == EMPTY ->
        /* C runtime/queue.h: atomic_store_explicit(&queue->first, first, memory_order_release) */
        atomic { first[lane] = node; result = PUSHED_FIRST }
    :: else ->
        /* C runtime/queue.h: atomic_store_explicit(&before->next, first, memory_order_release) */
        atomic {
            assert(linked[before]); /* nobody has freed it under us */
            next[before] = node;
            result = PUSHED
        }
    fi
}

/* bell_answer() */
inline answer_bell() {
    /* C runtime/mailbox.c: atomic_exchange_explicit(&mailbox->bell_rung, false, memory_order_acq_rel) */
    atomic { assert(bell_rung); bell_rung = false }
}

/* list_of_chain() and the bouncing of its messages, from `link` to `last`. */
inline bounce_chain() {
    do
    :: link != NIL ->
        atomic {
            if
            :: link == last -> successor = NIL
            /* C runtime/queue.h: while ((next = atomic_load_explicit(&link->next, memory_order_acquire)) == NULL) */
            :: link != last && next[link] != NIL -> successor = next[link]
            fi;
            linked[link] = false;
            next[link] = NIL;
            fate[link]++
        }
        if
        :: IS_BELL(link) -> answer_bell()
        :: else -> skip
        fi;
        link = successor
    :: else -> break
    od
}

inline wake() {
    atomic { assert(!scheduled); assert(readers == 0); scheduled = true }
}

/* ring_bell(), and again as long as a bell was refused while control waits. */
inline ring_bell() {
    do
    :: true ->
        /* C runtime/mailbox.c: if (atomic_exchange_explicit(&mailbox->bell_rung, true, memory_order_acq_rel)) return false */
        atomic { was_rung = bell_rung; bell_rung = true }
        if
        :: was_rung -> break
        :: else -> skip
        fi;
        /* C runtime/mailbox.c: &mailbox->bells[mailbox->bell_next] */
        bell = BELL0 + bell_next;
        queue_push(DATA, bell);
        if
        :: result == PUSHED_FIRST -> wake(); break
        :: result == PUSHED -> break
        :: else -> link = bell; bounce_chain()
        fi;
        /* C runtime/mailbox.c: } while (rt_queue_has_nodes(&mailbox->control)) */
        if
        :: head[CONTROL] > CLOSED -> skip
        :: else -> break
        fi
    od
}

/* rt_mailbox_push() and what rt_deliver() makes of it. */
inline send(node) {
    queue_push(LANE_OF(node), node);
    if
    :: result == REFUSED ->
        link = node;
        bounce_chain();
        if
        /* C runtime/mailbox.c: if (rt_queue_has_nodes(&mailbox->control)) sent.wake = ring_bell(mailbox, &sent.others) */
        :: head[CONTROL] > CLOSED -> ring_bell()
        :: else -> skip
        fi
    :: result == PUSHED_FIRST && LANE_OF(node) == CONTROL -> ring_bell()
    :: result == PUSHED_FIRST && LANE_OF(node) == DATA -> wake()
    :: else -> skip
    fi;
    FORGET(before = NIL; bell = NIL; was_rung = false; result = 0)
}

/* Sends `one`, then `two`; a control message may be meant for the second life. */
proctype sender(byte one; byte two) {
    byte before, last, link, successor, bell;
    bool was_rung;
    mtype result;
    if
    :: one == C2 && life == 2 -> target[one] = 2
    :: true -> skip
    fi;
    send(one);
    if
    :: two != NIL -> send(two)
    :: else -> skip
    fi
}

/* rt_queue_advance() from `node`; frees it. */
inline advance(lane, node) {
    /* C runtime/queue.h: atomic_load_explicit(&link->next, memory_order_acquire) */
    atomic {
        successor = next[node];
        if
        :: successor != NIL ->
            /* C runtime/queue.h: atomic_store_explicit(&queue->first, next, memory_order_relaxed) */
            first[lane] = successor;
            linked[node] = false;
            next[node] = NIL;
            state = NEXT
        :: else -> state = PARKED
        fi
    }
    if
    :: state == NEXT -> skip
    /* C runtime/queue.h: if (atomic_load_explicit(&queue->head, memory_order_relaxed) != link) return RT_QUEUE_BUSY */
    :: atomic { state == PARKED && head[lane] != node -> state = BUSY }
    :: state == PARKED && head[lane] == node ->
        /* C runtime/queue.h: atomic_store_explicit(&queue->first, NULL, memory_order_relaxed) */
        first[lane] = NIL;
        /* C runtime/queue.h: atomic_compare_exchange_strong_explicit(&queue->head, &expected, RT_QUEUE_EMPTY, memory_order_release, memory_order_relaxed) */
        atomic {
            if
            :: head[lane] == node ->
                head[lane] = EMPTY;
                linked[node] = false;
            next[node] = NIL;
                readers = (lane == DATA -> 0 : readers)
            :: else -> state = BUSY
            fi
        }
        if
        /* C runtime/queue.h: atomic_store_explicit(&queue->first, link, memory_order_relaxed) */
        :: state == BUSY -> first[lane] = node
        :: else -> skip
        fi
    fi
}

/* leave_data() or leave_control(); `how` is what it will be stuck on when it is. */
inline leave(node, how) {
    advance((how == ON_CONTROL -> CONTROL : DATA), node);
    atomic {
        if
        :: state == BUSY -> stuck = how
        /* C runtime/mailbox.c: if (rt_queue_advance(&mailbox->control, link) != RT_QUEUE_BUSY) return RT_MAILBOX_READY */
        :: state == NEXT || (state == PARKED && how == ON_CONTROL) -> state = READY
        :: else -> skip
        fi
    }
}

/* rt_mailbox_begin(): sets `state`, and `message` when it is READY. */
inline begin() {
    atomic {
        state = READY;
        how = stuck;
        stuck = NOT_STUCK;
        message = NIL
    }
    if
    :: how != NOT_STUCK -> link = first[(how == ON_CONTROL -> CONTROL : DATA)]; leave(link, how)
    :: else -> skip
    fi;
    do
    :: state != READY || message != NIL -> break
    :: else ->
        if
        /* C runtime/mailbox.c: if (rt_queue_has_nodes(&mailbox->control)) */
        :: head[CONTROL] > CLOSED -> message = first[CONTROL]
        :: else -> skip
        fi;
        if
        :: message != NIL -> break
        :: else -> skip
        fi;
        /* C runtime/mailbox.c: struct rt_link *data = rt_queue_first(&mailbox->data) */
        atomic {
            link = first[DATA];
            assert(link != NIL);
            message = (IS_BELL(link) -> NIL : link)
        }
        if
        :: message != NIL -> skip
        /* C runtime/mailbox.c: if (!mailbox->bell_answered) { mailbox->bell_answered = true; mailbox->bell_next ^= 1; */
        :: message == NIL && !bell_answered ->
            atomic { bell_answered = true; bell_next = 1 - bell_next }
            answer_bell()
        :: message == NIL && bell_answered ->
            bell_answered = false;
            leave(link, ON_BELL)
        fi
    od
}

/* Notes that `message` was handled, by the life it was meant for or as a stray. */
inline handle() {
    fate[message]++;
    assert(message != D2 || life != 1 || fate[D1] == 1)
}

/* close_lane(); `message` is in hand, or NIL. */
inline close_lane(lane) {
    /* C runtime/queue.h: atomic_exchange_explicit(&queue->head, RT_QUEUE_CLOSED, memory_order_acq_rel) */
    atomic { last = head[lane]; head[lane] = CLOSED }
    if
    :: last > CLOSED ->
        /* C runtime/queue.h: while ((first = rt_queue_first(queue)) == NULL) */
        atomic {
            first[lane] != NIL;
            link = first[lane];
            /* C runtime/queue.h: atomic_store_explicit(&queue->first, NULL, memory_order_relaxed) */
            first[lane] = NIL
        }
        if
        /* C runtime/mailbox.c: if ((current != NULL && first == &current->link) || (mailbox->bell_answered && is_bell(mailbox, first))) */
        :: link == message || (bell_answered && IS_BELL(link)) ->
            atomic {
                bell_answered = bell_answered && lane != DATA;
                if
                :: link == last -> successor = NIL
                /* C runtime/mailbox.c: first = rt_queue_await_next(first) */
                :: link != last && next[link] != NIL -> successor = next[link]
                fi;
                linked[link] = false;
            next[link] = NIL;
                link = successor
            }
        :: else -> skip
        fi;
        bounce_chain()
    :: else -> skip
    fi
}

/* rt_mailbox_close(), rt_slab_give(), and rt_spawn() into the same memory. */
inline end_and_begin_anew() {
    closing_allowed = false;
    /* C runtime/mailbox.c: struct rt_message *control = close_lane(mailbox, &mailbox->control, current) */
    close_lane(CONTROL);
    /* C runtime/mailbox.c: struct rt_message *data = close_lane(mailbox, &mailbox->data, current) */
    close_lane(DATA);
    atomic { readers = 0; life = 0 }
    /* C runtime/mailbox.c: if (!rt_queue_reopen(&mailbox->data)) return false */
    atomic { head[DATA] == CLOSED -> head[DATA] = EMPTY }
    /* C runtime/mailbox.c: while (!rt_queue_reopen(&mailbox->control)) */
    atomic { head[CONTROL] == CLOSED -> head[CONTROL] = EMPTY }
    life = 2
}

/* Back to the run queue: RT_TURN_AGAIN, or the end of a pause. */
inline again() {
    atomic { readers = 0; scheduled = true }
}

/* One worker: rt_turn_run() with turns of any length. */
active [2] proctype worker() {
    byte last, link, successor, message;
    mtype state, how;
end_idle:
    do
    :: atomic {
            scheduled && (_pid == 0 || first_is_busy) -> /* one of two alike is enough */
            scheduled = false;
            first_is_busy = first_is_busy || _pid == 0;
            assert(readers == 0);
            readers++
        }
        if
        :: closing_allowed && stuck != NOT_STUCK && life == 1 -> /* its renewal failed */
            atomic {
                message = (stuck == ON_CONTROL -> first[CONTROL] : first[DATA]);
                bell_answered = bell_answered || stuck == ON_BELL;
                stuck = NOT_STUCK
            }
            end_and_begin_anew();
            FORGET(message = NIL; first_is_busy = first_is_busy && _pid != 0);
            goto end_idle
        :: true -> skip
        fi;
        do
        :: begin();
            if
            :: state == PARKED -> break
            :: state == BUSY -> again(); break
            :: else -> skip
            fi;
            handle();
            if
            :: closing_allowed && life == 1 && target[message] == 1 ->
                end_and_begin_anew();
                break
            :: pause_allowed && life == 1 -> /* rt_mailbox_hold() */
                atomic {
                    pause_allowed = false;
                    stuck = (LANE_OF(message) == CONTROL -> ON_CONTROL : ON_DATA)
                }
                again();
                break
            :: true ->
                leave(message, (LANE_OF(message) == CONTROL -> ON_CONTROL : ON_DATA));
                if
                :: state == PARKED -> break
                :: state == BUSY -> again(); break
                :: else -> skip
                fi
            fi
        od;
        FORGET(message = NIL; state = 0; how = 0; first_is_busy = first_is_busy && _pid != 0)
    od
}

init {
    atomic {
        run sender(D1, TWO_DATA);
        run sender(C1, NIL);
#ifndef PAUSE
        run sender(C2, NIL)
#endif
    }
    timeout; /* nothing moves any more */
    assert(fate[D1] == 1 && fate[C1] == 1);
    assert(fate[D2] == (TWO_DATA -> 1 : 0) && fate[C2] == (TWO_CONTROL -> 1 : 0));
    assert(head[DATA] == EMPTY && head[CONTROL] == EMPTY);
    assert(!bell_rung && readers == 0 && !scheduled)
}
