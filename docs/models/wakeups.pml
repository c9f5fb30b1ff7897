/*
 * The wake-ups between the loop and its workers, and the rings between them:
 * ring/bell.go, ring/spsc.go, worker/worker.go (park, Wake), worker/reply.go (ReleaseReplies),
 * worker/publish.go (commit, ring) and gateway/loop.go (takeReplies, sleep).
 * sync/atomic is sequentially consistent, and so is a step here.
 *
 * The loop gives each of W workers N messages through a ring of CAP slots; a
 * worker takes one or more, writes a reply for each into its reply ring of CAP
 * slots, and rings the bell. Checked:
 *   - every message and every reply is taken once and in order, and no slot is
 *     written before what it held was taken (assertions);
 *   - no wake-up is lost: nobody blocks for ever (invalid end states).
 *
 * Each of these takes a second look away, upon which a wake-up is lost:
 *   -DNO_LOOK_WORK   a worker parks without looking for messages again
 *   -DNO_LOOK_ROOM   a worker parks without looking for room again
 *   -DNO_LOOK_BELL   the loop sleeps without looking at the count
 */
#ifndef N
#define N 3
#endif
#define W   2
#define CAP 2
#define SLOT(w, i) ((w) * CAP + (i) % CAP)

/* Rings: a slot holds the number of a message, 0 when it is free. */
byte in_slot[W * CAP],  in_tail[W],  in_head[W];
byte out_slot[W * CAP], out_tail[W], out_head[W];

/* EventCount: twice the count, and 1 while the loop is asleep. */
short bell;
bool edge;                         /* the poller's eventfd: any number are one */

/* Parking. */
bool parked[W], wants_room[W];
chan token[W] = [1] of { bit };

/* Worker.Wake: a load, then a compare-and-swap. */
inline wake(w) {
    if
    :: parked[w] ->
        atomic {
            if
            :: parked[w] -> parked[w] = false; won = true
            :: else -> won = false
            fi
        }
        if
        :: won -> token[w]!1
        :: else
        fi
    :: else
    fi
}

/* Worker.park: LOOK is the second look. */
inline park(w, look) {
    parked[w] = true;
    won = false;
    if
    :: look ->
        atomic {
            if
            :: parked[w] -> parked[w] = false; won = true
            :: else
            fi
        }
    :: else
    fi
    if
    :: won
    :: else -> token[w]?_
    fi
}

#ifdef NO_LOOK_WORK
#define HAS_WORK false
#else
#define HAS_WORK (in_tail[w] != head)
#endif
#ifdef NO_LOOK_ROOM
#define HAS_ROOM false
#else
#define HAS_ROOM (next - out_head[w] < CAP)
#endif

/* Worker.ring: publish, then ring for what was published. */
inline ring(w) {
    if
    :: records > 0 ->
        out_tail[w] = next;
        atomic { bell = bell + 2 * records; rang = (bell == 2 * records + 1); records = 0 }
        if
        :: rang -> edge = true
        :: else
        fi
    :: else
    fi
}

proctype worker(byte w) {
    byte head, next, batch, done, records;
    bool won, rang;

    do
    :: head == N -> break
    :: else ->
        if
        :: in_tail[w] == head -> park(w, HAS_WORK)
        :: else ->
            /* A batch is any number of what is there. */
            batch = 1;
            if
            :: in_tail[w] - head > 1 -> batch = 2
            :: true
            fi
            done = 0;
            do
            :: done == batch -> break
            :: else ->
                atomic {
                    assert(in_slot[SLOT(w, head)] == head + 1);
                    in_slot[SLOT(w, head)] = 0
                }
                head++;
                do
                :: next - out_head[w] < CAP -> break
                :: else ->
                    ring(w);
                    wants_room[w] = true;
                    park(w, HAS_ROOM);
                    wants_room[w] = false
                od
                atomic {
                    assert(out_slot[SLOT(w, next)] == 0);
                    out_slot[SLOT(w, next)] = head;
                    next++; records++; done++
                }
            od
            in_head[w] = head;
            ring(w)
        fi
    od
}

proctype loop() {
    byte given[W], taken[W], total, n, got, w;
    bool won, busy;

    do
    :: total == W * N -> break
    :: else ->
        busy = false;

        /* takeReplies: look at the count before at the rings. */
        if
        :: (bell >> 1) != 0 ->
            got = 0; w = 0;
            do
            :: w == W -> break
            :: else ->
                n = 0;
                do
                :: out_tail[w] == taken[w] -> break
                :: else ->
                    atomic {
                        assert(out_slot[SLOT(w, taken[w])] == taken[w] + 1);
                        out_slot[SLOT(w, taken[w])] = 0;
                        taken[w]++; n++
                    }
                od
                if
                :: n > 0 ->
                    out_head[w] = taken[w];
                    if
                    :: wants_room[w] -> wake(w)
                    :: else
                    fi
                    got = got + n
                :: else
                fi
                w++
            od
            if
            :: got > 0 -> bell = bell - 2 * got; total = total + got; busy = true
            :: else
            fi
        :: else
        fi

        /* takeInput: one message each, published, then the worker woken. */
        w = 0;
        do
        :: w == W -> break
        :: else ->
            if
            :: given[w] < N && given[w] - in_head[w] < CAP ->
                atomic {
                    assert(in_slot[SLOT(w, given[w])] == 0);
                    in_slot[SLOT(w, given[w])] = given[w] + 1;
                    given[w]++
                }
                in_tail[w] = given[w];
                wake(w);
                busy = true
            :: else
            fi
            w++
        od

        /* sleep: EventCount.Sleep is a compare-and-swap of zero. */
        if
        :: busy || total == W * N
        :: else ->
            atomic {
                if
#ifdef NO_LOOK_BELL
                :: true -> bell = bell + 1; won = true
#else
                :: bell == 0 -> bell = 1; won = true
                :: else -> won = false
#endif
                fi
            }
            if
            :: won ->
                atomic { edge -> edge = false }
                atomic { bell = bell - (bell & 1) }   /* Wake */
            :: else
            fi
        fi
    od
}

init {
    atomic { run loop(); run worker(0); run worker(1) }
}
