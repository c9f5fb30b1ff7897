package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
)

var total int

var t = new(testing.T) // in a test, its parameter

// A function that processes one message. With [worker.Again], a message stays unacknowledged and is
// processed once more after some time; with [worker.Refuse], the server gets the code.
func ExampleEach() {
	busy := true
	sink := worker.Each(func(ctx context.Context, m worker.Message) error {
		if busy {
			busy = false
			return worker.Again(5 * time.Second)
		}
		n, err := strconv.Atoi(string(m.Data))
		if err != nil {
			return fmt.Errorf("from %s: %w", m.Upstream(), worker.Refuse(worker.BadRequest))
		}
		total += n
		return nil // done: the message is acknowledged
	})

	// In a program, sink is the Sink of a gateway.Config. In a test:
	codes := handlertest.Run(t, sink, handlertest.Messages("20", "x", "22")...)
	fmt.Println(total, codes)
	// Output: 42 [0 2 0]
}

// A function that processes many messages in one call, such as one transaction of a database.
func ExampleBatches() {
	var db database
	sink := worker.Batches(1000, 10*time.Millisecond, func(ctx context.Context, msgs []worker.Message) []error {
		tx := db.begin()
		errs := make([]error, len(msgs))
		for i, m := range msgs {
			if err := tx.insert(m.Meta("topic"), m.Data); err != nil {
				errs[i] = worker.Refuse(worker.CodeHandler) // this message; the others continue
			}
		}
		if err := tx.commit(ctx); err != nil {
			for i := range errs {
				errs[i] = worker.Again(time.Second) // the database is down: all of them, later
			}
		}
		return errs
	})

	codes := handlertest.Run(t, sink,
		handlertest.Message{Data: "a", Meta: map[string]string{"topic": "t"}},
		handlertest.Message{Data: "", Meta: map[string]string{"topic": "t"}},
		handlertest.Message{Data: "b", Meta: map[string]string{"topic": "u"}})
	fmt.Println(db.rows, codes)
	// Output: [t:a u:b] [0 1000 0]
}

// database is the stand-in of a database.
type database struct{ rows []string }

type transaction struct {
	db   *database
	rows []string
}

func (db *database) begin() *transaction { return &transaction{db: db} }

func (tx *transaction) insert(topic string, data []byte) error {
	if len(data) == 0 {
		return errors.New("empty")
	}
	tx.rows = append(tx.rows, topic+":"+string(data))
	return nil
}

func (tx *transaction) commit(context.Context) error {
	tx.db.rows = append(tx.db.rows, tx.rows...)
	return nil
}

// A sink whose messages are resolved later, by another goroutine and in any order.
func ExampleSink() {
	sink := &lookups{}
	codes := handlertest.Run(t, sink, handlertest.Messages("a", "?", "b")...)
	fmt.Println(codes)
	// Output: [0 2 0]
}

// lookups never fails as a whole and shares nothing: AlwaysReady.
type lookups struct{ worker.AlwaysReady }

func (s *lookups) Open(c worker.Completer) (worker.Handler, error) {
	h := &lookup{ctx: c.Context(), jobs: make(chan job, 100)}
	h.ended.Go(func() { h.run(c) })
	return h, nil
}

// lookup is the handler of one worker.
type lookup struct {
	ctx   context.Context // ends when the gateway stops its workers
	jobs  chan job
	ended sync.WaitGroup
}

type job struct {
	m  worker.Message // its data are valid until it is resolved
	id worker.ID
}

func (h *lookup) Handle(b worker.Batch) {
	for b.Len() > 0 {
		m := b.At(0) // before Defer, which takes it from the batch
		j := job{m, b.Defer(1)}
		select {
		case h.jobs <- j: // if the queue is full, the worker waits
		case <-h.ctx.Done():
			return
		}
	}
}

// run resolves the jobs. It alone uses c.
func (h *lookup) run(c worker.Completer) {
	for {
		select {
		case j, ok := <-h.jobs:
			if !ok {
				return
			}
			code := worker.OK
			if string(j.m.Data) == "?" {
				code = worker.BadRequest
			}
			c.Resolve(j.id, 1, code)
			c.Flush() // now, or after several
		case <-h.ctx.Done():
			return // what is left stays unacknowledged
		}
	}
}

func (h *lookup) Drain() {} // nothing waits for more messages

func (h *lookup) Close() error {
	close(h.jobs)
	h.ended.Wait()
	return nil
}
