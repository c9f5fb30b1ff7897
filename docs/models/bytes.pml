/*
 * The reply ring, ring/bytes.go: records that never wrap, a pad where one does
 * not fit before the end. CAP cells stand for CAP times recordAlign bytes; a
 * record is 1 or 2 cells, of which the first is its header.
 *
 * The producer reserves, writes and commits records, and publishes some time;
 * the consumer takes records, and releases some time. Checked: every record is
 * taken once, in order and whole, none is written over before it was released,
 * and no pad is taken for a record. Indices count up for ever; the model lets
 * them go round the ring several times.
 *
 *   -DNO_PUBLISH_ORDER  tail is stored before the record is written
 *   -DNO_RELEASE_ORDER  head is stored before the record was read
 *   -DNO_GAP_COUNT     the pad is not counted when room is looked for
 */
#ifndef RECORDS
#define RECORDS 6
#endif
#define CAP 4
#define PAD 255

byte cell[CAP];                    /* header: length; body: number of the record */
byte number[CAP];                  /* of the record that the cell belongs to, 0: free */
byte tail, head;

/* put writes a record of size cells at next. */
inline put(n, size) {
    cell[next % CAP] = size;
    assert(number[next % CAP] == 0);
    number[next % CAP] = n;
    if
    :: size == 2 ->
        assert(next % CAP + 1 < CAP);
        assert(number[(next + 1) % CAP] == 0);
        number[(next + 1) % CAP] = n
    :: else
    fi
}

proctype producer() {
    byte next, n, size, gap, seen;
    n = 1;
    do
    :: n > RECORDS -> tail = next; break
    :: else ->
        if
        :: size = 1
        :: size = 2
        fi
        gap = 0;
        if
        :: CAP - next % CAP < size -> gap = CAP - next % CAP
        :: else
        fi
#ifdef NO_GAP_COUNT
#define NEEDS size
#else
#define NEEDS (gap + size)
#endif
        /* Reserve: the last value of head first, head itself when that is full. */
        if
        :: next + NEEDS - seen > CAP -> seen = head
        :: else
        fi
        if
        :: next + NEEDS - seen > CAP ->
            tail = next;                               /* publish, then wait */
            next + NEEDS - head <= CAP;
            seen = head
        :: else
        fi
        if
        :: gap > 0 -> cell[next % CAP] = PAD; next = next + gap
        :: else
        fi
#ifdef NO_PUBLISH_ORDER
        tail = next + size;
#endif
        put(n, size);
        next = next + size;
        n++;
        if
        :: tail = next
        :: true                                        /* publish later */
        fi
    od
}

proctype consumer() {
    byte taken, n, at, size;
    n = 1;
    do
    :: n > RECORDS -> break
    :: else ->
        tail != taken;
        at = taken % CAP;
        if
        :: cell[at] == PAD -> taken = taken + CAP - at
        :: else ->
            size = cell[at];
#ifdef NO_RELEASE_ORDER
            head = taken + size;
#endif
            assert(size == 1 || size == 2);
            assert(number[at] == n);
            assert(size == 1 || number[at + 1] == n);
            number[at] = 0;
            if
            :: size == 2 -> number[at + 1] = 0
            :: else
            fi
            taken = taken + size;
            n++;
            if
            :: head = taken
            :: tail != taken                           /* release later, with more */
            fi
        fi
    od
}

init { atomic { run producer(); run consumer() } }
