package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// contender is a subject in an executable.
type contender struct {
	*Subject
	label string // NAME or NAME@PATH
	self  string // the executable that it is run by, or beside
}

// newContender finds what Config.Subjects names.
func newContender(label, self string) contender {
	name, path, elsewhere := strings.Cut(label, "@")
	if elsewhere {
		self = path
	}
	if abs, err := filepath.Abs(self); err == nil {
		self = abs // a name without a slash would be looked for in PATH
	}
	return contender{Find(name), label, self}
}

// executable is what a process of the contender runs.
func (c *contender) executable() string {
	if c.Program != "" {
		return filepath.Join(filepath.Dir(c.self), c.Program)
	}
	return c.self
}

// absent says why a contender cannot be run, or nothing.
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

// command is the contender's command line.
func (c *contender) command(cfg *Config, l load, addr string) []string {
	args := []string{c.executable()}
	if c.Program == "" {
		args = append(args, SubjectArg, c.Name)
	}
	args = append(args, "--addr", addr, "--workers", strconv.Itoa(l.workers),
		"--work-ns", strconv.FormatInt(cfg.Work.Nanoseconds(), 10))
	if cfg.Read {
		args = append(args, "--read")
	}
	return args
}
