// Package assemble joins the parts of chunked requests (--assemble). They arrive as messages of
// another protocol: JSON objects with an ID, the last of which marks the request complete. A Conn
// of this package wraps one of that protocol, so the loop sees complete requests only.
package assemble

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"feedgate/worker/selector"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/faults"
)

// Config describes requests and limits them.
type Config struct {
	// Spec is json:ID,COMPLETE,DATA with the names of three top-level members. They may have the
	// escapes of selector.Unescape, such as \x2c for a comma.
	Spec string

	// MaxMessage is the longest joined request, in bytes; 1 to 1 GiB.
	MaxMessage int64

	// Memory limits what the open requests of a connection hold together, in bytes: their joined
	// data as JSON, their IDs, and the last part of each without its data. Spare capacity of
	// their slices is not counted.
	Memory int64

	// IdleTimeout is how long a request waits for its next part; it may be up to a quarter
	// longer. 0 or negative: no limit.
	IdleTimeout time.Duration
}

const (
	// maxOpen is the most open requests of a connection.
	maxOpen = 1024
	// maxRefused is how many refused requests are remembered while more of their parts may
	// arrive. A part of a forgotten one begins a new request.
	maxRefused = 16 * maxOpen
	// minPeriod is the shortest interval at which timeouts are checked.
	minPeriod = 10 * time.Millisecond
)

// New makes a codec that returns the complete requests of inner. Its error has one line per
// fault, which begins with the flag.
func New(inner *wire.Codec, cfg Config) (*wire.Codec, error) {
	var faults faults.List
	p := &settings{
		maxMessage: int(cfg.MaxMessage), memory: cfg.Memory,
		idle: max(cfg.IdleTimeout, 0),
	}
	if inner.Sequenced {
		faults.Add("--assemble", errors.New("goes with tcp:// and ws:// only; fg:// has its own parts"))
	}
	if inner.Meta != nil && inner.Meta.Split != nil {
		faults.Add("--assemble", errors.New("does not go with a protocol whose messages have heads"))
	}
	names, err := parseSpec(cfg.Spec)
	faults.Check(err == nil, "--assemble: %q: %w", cfg.Spec, err)
	p.names = names
	faults.CheckMaxMessage(cfg.MaxMessage)
	faults.Check(cfg.Memory >= 1, "--memory: --assemble gets %d bytes of it", cfg.Memory)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	name, err := json.Marshal(string(names[nameData]))
	if err != nil {
		return nil, fmt.Errorf("--assemble: %w", err)
	}
	p.member = append(append([]byte{','}, name...), `:"`...)
	codec := *inner
	codec.Joins = true
	codec.NewConn = func() wire.Conn {
		c := &conn{Conn: inner.NewConn(), p: p, table: newTable(p)}
		c.watch = c.skimmed
		return c
	}
	return &codec, nil
}

// Indices of the members.
const (
	nameID = iota
	nameComplete
	nameData
	names
)

var errSpec = errors.New("want json:ID,COMPLETE,DATA, the names of three fields")

func parseSpec(spec string) ([][]byte, error) {
	list, ok := strings.CutPrefix(spec, "json:")
	fields := strings.Split(list, ",")
	if !ok || len(fields) != names {
		return nil, errSpec
	}
	parsed := make([][]byte, names)
	for i, field := range fields {
		name, err := selector.Unescape(field)
		switch {
		case err != nil:
			return nil, err
		case len(name) == 0:
			return nil, fmt.Errorf("a name is missing: %w", errSpec)
		case !utf8.Valid(name):
			return nil, errors.New("a name is not UTF-8")
		}
		for _, other := range parsed[:i] {
			if string(other) == string(name) {
				return nil, fmt.Errorf("%q is named twice", name)
			}
		}
		parsed[i] = name
	}
	return parsed, nil
}

// settings is a parsed Config. It is immutable.
type settings struct {
	names      [][]byte
	member     []byte // begins DATA after another member: ,"DATA":"
	maxMessage int
	memory     int64
	idle       time.Duration // 0: no limit
}
