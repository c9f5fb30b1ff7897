// Package handler shows what a program with its own handlers consists of: a function for each
// message, a sink for batches, and their unit test. In the program, one of them is the Sink of a
// gateway.Config:
//
//	gateway.Config{Sink: worker.Each(handler.Reserve(stock)), ...}
//	gateway.Config{Sink: handler.Post("http://localhost:8080/orders"), ...}
package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"feedgate/worker"
)

// Stock is where orders are reserved. Several workers use it at once.
type Stock interface {
	Reserve(ctx context.Context, item string, count int) error
}

// ErrBusy is the error of a Stock that is out of order for the moment.
var ErrBusy = errors.New("busy")

// SoldOut is the code of an order for more than there is.
const SoldOut = worker.CodeHandler

// Reserve returns a function that reserves what the order in a message asks for.
func Reserve(stock Stock) worker.Func {
	return func(ctx context.Context, m worker.Message) error {
		var order struct {
			Item  string
			Count int
		}
		if err := json.Unmarshal(m.Data, &order); err != nil {
			return fmt.Errorf("%w: %w", worker.Refuse(worker.BadRequest), err)
		}
		switch err := stock.Reserve(ctx, order.Item, order.Count); {
		case errors.Is(err, ErrBusy):
			return worker.Again(5 * time.Second) // the message stays unacknowledged
		case err != nil:
			return worker.Refuse(SoldOut)
		}
		return nil // done: the message is acknowledged
	}
}
