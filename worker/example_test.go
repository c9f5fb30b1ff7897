package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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
