package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"feedgate/bench/baselines"
	"feedgate/bench/client"
	"feedgate/worker/sink/spin"
)

// SubjectArg is the first argument of a process that runs [SubjectMain]. The other arguments are
// passed to it.
const SubjectArg = "bench-subject"

// SubjectMain is the process of a subject. args are its name and the flags of [client.Main].
func SubjectMain(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("no subject named")
	}
	s := Find(args[0])
	if s == nil || s.Program != "" {
		return fmt.Errorf("%q is not a subject of this program", args[0])
	}
	return client.Main(ctx, args[1:], in, out, func(f client.Flags) (client.Run, error) {
		run, err := s.client(setup{findKeyForm(f.KeyForm), f.To})
		work := newWork(time.Duration(f.WorkNS), f.Read)
		return func(ctx context.Context) (uint64, error) {
			res, err := run(ctx, f.Addr, f.Workers, work)
			return res.Messages, err
		}, err
	})
}

// setup is what some clients need besides the arguments of a [baselines.Func].
type setup struct {
	key *keyForm // nil: there are no keys
	to  string   // URL of the destination; empty: there is none
}

// client returns the subject's client.
func (s *Subject) client(with setup) (baselines.Func, error) {
	switch {
	case s.Keyed && with.key == nil:
		return nil, fmt.Errorf("--key-form: want one of %s", keyFormNames())
	case s.Destination != "" && with.to == "":
		return nil, errors.New("--to: missing")
	case s.made == nil:
		return s.Run, nil
	}
	return s.made(with), nil
}

// newWork returns the work that every subject does for each message.
func newWork(d time.Duration, read bool) func(msg []byte) {
	burn := spin.Burner(d)
	switch {
	case read && d > 0:
		return func(msg []byte) {
			touch(msg)
			burn()
		}
	case read:
		return touch
	case d > 0:
		return func([]byte) { burn() }
	}
	return func([]byte) {}
}

// touch reads every byte. The sum cannot be negative, but the compiler does not know that.
func touch(msg []byte) {
	sum := 0
	for _, b := range msg {
		sum += int(b)
	}
	if sum < 0 {
		panic("bench: a sum of bytes is negative")
	}
}
