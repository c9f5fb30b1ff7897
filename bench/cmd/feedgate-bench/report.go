package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"feedgate/bench/report"
	"feedgate/cmd/feedgate/cli"
	"feedgate/worker/durable"
)

// reportCmd prints results of bench.
type reportCmd struct {
	Files []string `arg:"" name:"FILE" help:"Results written by bench --out. Several are compared with the first."`
	HTML  string   `name:"html" placeholder:"FILE" help:"Also write a page of tables and charts to FILE."`
}

// Help returns the part of report's help before the flags.
func (reportCmd) Help() string {
	return `For one file it prints the environment and, for each load, a table of medians and spreads, followed by the order of the subjects and which of their differences exceed the spread. For several files it prints how each differs from the first, figure by figure. Each column has the unit that suits its figures. The page of --html explains the subjects and the figures, and has plots; it is a single file that loads nothing and needs no script, for light and dark screens, small ones, and paper.

Examples:

    feedgate report results.json
    feedgate report before.json after.json
    feedgate report results.json --html results.html

Exit status: 0; 1 a file cannot be read, or is no result of bench, or the page cannot be written; 2 usage.`
}

// Run prints the report, and writes the page.
func (c *reportCmd) Run(_ context.Context, g *globals) error {
	var sources []report.Source
	var faults []error
	for _, path := range c.Files {
		source, err := report.Load(path)
		faults = append(faults, err)
		sources = append(sources, source)
		if c.HTML != "" && sameFile(path, c.HTML) {
			return cli.Usagef("--html: %s is one of the files to report on; name another", c.HTML)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	err := report.WriteText(g.stdout, sources)
	if c.HTML == "" {
		return err
	}
	var page bytes.Buffer
	pageErr := report.WriteHTML(&page, sources)
	if pageErr == nil {
		pageErr = putFile(c.HTML, page.Bytes())
	}
	if pageErr != nil {
		pageErr = fmt.Errorf("--html: %w", pageErr)
	}
	return errors.Join(err, pageErr)
}

// sameFile reports whether two paths name the same file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// putFile replaces the content of the file at path atomically: after an error it is unchanged. If
// it is not a regular file, such as a pipe, putFile writes to it.
func putFile(path string, b []byte) error {
	const mode = fs.FileMode(0o666)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, b, mode)
	}
	return durable.Replace(path, b, mode)
}
