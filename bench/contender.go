package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// contender is a subject of a certain executable.
type contender struct {
	*Subject
	label string // NAME or NAME@PATH
	self  string // the executable that runs it, or whose directory has its program
}

// newContender returns the contender with a label of Config.Subjects.
func newContender(label, self string) contender {
	name, path, elsewhere := strings.Cut(label, "@")
	if elsewhere {
		self = path
	}
	if abs, err := filepath.Abs(self); err == nil {
		self = abs // exec would look up a name without a slash in PATH
	}
	return contender{Find(name), label, self}
}

// executable returns the path of the contender's executable.
func (c *contender) executable() string {
	if c.Program != "" {
		return filepath.Join(filepath.Dir(c.self), c.Program)
	}
	return c.self
}

// absent returns why a contender cannot run, or "".
func (c *contender) absent() string {
	_, err := os.Stat(c.executable())
	switch {
	case err == nil:
		return ""
	case c.Program == "":
		return fmt.Sprintf("%s LEFT OUT: %v", c.label, err)
	default:
		return fmt.Sprintf("%s LEFT OUT: %v; make baselines builds it", c.label, err)
	}
}

// command returns the contender's command line.
func (c *contender) command(cfg *Config, l load, addr, to string) []string {
	args := []string{c.executable()}
	if c.Program == "" {
		args = append(args, SubjectArg, c.Name)
	}
	args = append(args, "--addr", addr, "--workers", strconv.Itoa(l.workers),
		"--work-ns", strconv.FormatInt(cfg.Work.Nanoseconds(), 10))
	if c.Keyed {
		args = append(args, "--key-form", cfg.KeyForm)
	}
	if to != "" {
		args = append(args, "--to", to)
	}
	if cfg.Read {
		args = append(args, "--read")
	}
	return args
}
