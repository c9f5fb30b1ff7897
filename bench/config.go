package bench

import (
	"slices"
	"strings"
	"time"

	"feedgate/gateway/wire/faults"
)

// Config defines what is measured: every subject with every size and number of workers. Zero fields mean
// the documented default.
type Config struct {
	// Subjects are names, or NAME@PATH for the subject in another build, whose executable is PATH.
	// Default: those with Subject.Default.
	Subjects []string
	Sizes    []int // bytes of payload; default 64
	Workers  []int // default 2

	Msgs     uint64        // messages per run; 0: as many as Duration allows
	Duration time.Duration // of a run; default 2s without Msgs
	Rate     float64       // messages per second; 0: as fast as possible
	Work     time.Duration // CPU time that a worker spends on each message
	Read     bool          // a worker first reads every byte of a message
	Rounds   int           // default 5

	// Keys is how many different keys the messages have, chosen at random; 0: they have none, unless
	// a subject is by key; then the default is 1,000. Messages of NSQ have no keys. KeyForm is where the key is in a message:
	// bytes, the default, the first 8 bytes; field, the second of fields separated by commas; json,
	// the member k of a JSON object.
	Keys    int
	KeyForm string

	// Patience is how long a run may make no progress before it is stopped. Default: 5s, or longer,
	// if Rate or Work make longer pauses normal.
	Patience time.Duration

	// Self is an executable that calls [SubjectMain], [FeedMain], [NsqdMain] and [DestinationMain] if its
	// first argument is SubjectArg, FeedArg, NsqdArg or DestinationArg. Programs of subjects are in the
	// same directory.
	Self string
}

const (
	maxSize    = 1 << 20
	maxWorkers = 256
	maxRounds  = 1000
	minRate    = 1e-3
	maxRate    = 1e9
	maxWork    = time.Second
	maxMsgs    = 1e12
	maxKeys    = 1_000_000
	maxKeyed   = 256 << 20 // bytes of one message for each key
	maxRun     = time.Hour
	// readMessages is how many messages a subject may read at once, and ack only after the last of
	// them.
	readMessages = 16384
	// maxQueued is how many messages a feed can hold in memory before its client connects.
	maxQueued = 5_000_000
	// maxRecord is the longest message for Kafka, whose clients and brokers limit a record batch to
	// about 1 MB by default.
	maxRecord = 900_000
	// queued is the protocol of subjects whose feed does so.
	queued = "nsq"
)

// withDefaults returns c with defaults for zero fields, and an error with every fault, each with the name
// of its flag.
func (c Config) withDefaults() (Config, error) {
	if len(c.Subjects) == 0 {
		for _, s := range Subjects {
			if s.Default {
				c.Subjects = append(c.Subjects, s.Name)
			}
		}
	}
	if len(c.Sizes) == 0 {
		c.Sizes = []int{64}
	}
	if len(c.Workers) == 0 {
		c.Workers = []int{2}
	}
	if c.Msgs == 0 && c.Duration == 0 {
		c.Duration = 2 * time.Second
	}
	if c.Rounds == 0 {
		c.Rounds = 5
	}
	if c.Keys == 0 && c.anyByKey() {
		c.Keys = 1000
	}
	if c.Keys > 0 && c.KeyForm == "" {
		c.KeyForm = keyForms[0].name
	}
	if c.Patience == 0 {
		c.Patience = max(5*time.Second, min(readMessages*c.Work, maxRun))
		if c.Rate > 0 {
			c.Patience = max(c.Patience, time.Duration(min(2/c.Rate, maxRun.Seconds())*float64(time.Second)))
		}
	}
	return c, c.validate()
}

func (c *Config) validate() error {
	var faults faults.List
	check := faults.Check
	for i, name := range c.Subjects {
		short, _, _ := strings.Cut(name, "@")
		check(Find(short) != nil, "--subjects: there is no %q; there are %s", short, names())
		check(!slices.Contains(c.Subjects[:i], name), "--subjects: %s is there twice", name)
	}
	for i, size := range c.Sizes {
		check(size >= 1 && size <= maxSize, "--size: %d is not from 1 to %d bytes", size, maxSize)
		check(!slices.Contains(c.Sizes[:i], size), "--size: %d is there twice", size)
	}
	for i, n := range c.Workers {
		check(n >= 1 && n <= maxWorkers, "--workers: %d is not from 1 to %d", n, maxWorkers)
		check(!slices.Contains(c.Workers[:i], n), "--workers: %d is there twice", n)
	}
	check(c.Msgs == 0 || c.Duration == 0, "--duration: does not go with --msgs; give one of them")
	check(c.Msgs <= maxMsgs, "--msgs: %d is more than %g", c.Msgs, maxMsgs)
	check(c.Duration >= 0 && c.Duration <= maxRun, "--duration: %v is not from 0 to 1h", c.Duration)
	check(c.Rate == 0 || c.Rate >= minRate && c.Rate <= maxRate, "--rate: %g is neither 0 nor from %g to %g messages per second", c.Rate, minRate, maxRate)
	check(!(c.Rate >= minRate) || float64(c.Msgs)/c.Rate <= maxRun.Seconds(), "--msgs: %d at --rate %g take longer than 1h", c.Msgs, c.Rate)
	check(c.Work >= 0 && c.Work <= maxWork, "--work: %v is not from 0 to %v", c.Work, maxWork)
	check(c.Rounds >= 1 && c.Rounds <= maxRounds, "--rounds: %d is not from 1 to %d", c.Rounds, maxRounds)
	c.validateKeys(&faults)
	for _, name := range c.Subjects {
		short, _, _ := strings.Cut(name, "@")
		if s := Find(short); s != nil {
			c.validateFor(s, &faults)
		}
	}
	return faults.Err()
}

// validateFor checks what a subject cannot do.
func (c *Config) validateFor(s *Subject, f *faults.List) {
	if s.Protocol == queued {
		f.Check(c.Rate == 0, "--rate: not with %s, whose messages are all queued before it connects", s.Name)
		f.Check(c.Msgs <= maxQueued, "--msgs: %d is more than the %d that can be queued for %s", c.Msgs, maxQueued, s.Name)
	}
	if s.Destination == "kafka" {
		for _, size := range c.Sizes {
			f.Check(size <= maxRecord, "--size: %d is more than the %d bytes that %s can send", size, maxRecord, s.Name)
		}
	}
	if s.Destination != "" {
		f.Check(c.Work == 0, "--work: not with %s, which only passes messages on", s.Name)
		f.Check(!c.Read, "--read: not with %s, which only passes messages on", s.Name)
	}
}

// anyByKey reports whether a subject is by key.
func (c *Config) anyByKey() bool {
	return slices.ContainsFunc(c.Subjects, func(label string) bool {
		name, _, _ := strings.Cut(label, "@")
		s := Find(name)
		return s != nil && s.Keyed
	})
}

func (c *Config) validateKeys(f *faults.List) {
	f.Check(c.Keys >= 0 && c.Keys <= maxKeys, "--keys: %d is not from 0 to %d", c.Keys, maxKeys)
	f.Check(c.Keys > 0 || c.KeyForm == "", "--key-form: goes with --keys")
	form := findKeyForm(c.KeyForm)
	f.Check(c.KeyForm == "" || form != nil, "--key-form: %q is not one of %s", c.KeyForm, keyFormNames())
	if form == nil {
		return
	}
	for _, size := range c.Sizes {
		f.Check(size >= form.least, "--size: %d is too short for --key-form %s, which needs %d bytes", size, c.KeyForm, form.least)
		f.Check(c.Keys*size <= maxKeyed, "--keys: %d messages of %d bytes, one for each key, are over %d bytes", c.Keys, size, maxKeyed)
	}
}

// Validate returns an error with every fault, each with the name of its flag.
func (c Config) Validate() error {
	_, err := c.withDefaults()
	return err
}

// Measures reports whether c measures a subject.
func (c Config) Measures(subject string) bool {
	if len(c.Subjects) == 0 {
		s := Find(subject)
		return s != nil && s.Default
	}
	return slices.Contains(c.Subjects, subject)
}

func names() string {
	var all []string
	for _, s := range Subjects {
		all = append(all, s.Name)
	}
	return strings.Join(all, ", ")
}

// load is a combination of parameters under which all subjects are measured.
type load struct {
	size, workers int
}

// loads returns the combinations, ordered by size first.
func (c *Config) loads() []load {
	var all []load
	for _, size := range c.Sizes {
		for _, workers := range c.Workers {
			all = append(all, load{size, workers})
		}
	}
	return all
}
