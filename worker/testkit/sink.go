package testkit

import (
	"context"

	"feedgate/worker"
)

// ByCode is [worker.Each] for a function that returns codes.
func ByCode(f func(m worker.Message) worker.Code) worker.Sink {
	return worker.Each(func(_ context.Context, m worker.Message) error {
		if code := f(m); code != worker.OK {
			return worker.Refuse(code)
		}
		return nil
	})
}
