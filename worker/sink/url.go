package sink

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"feedgate/worker/durable"
)

// literal turns a path in a URL into the path meant. A ? begins the query and so
// must be written %3F in a path, and a % that would begin such an escape %25. All
// other bytes are themselves, so that paths need no encoding.
var literal = strings.NewReplacer("%3F", "?", "%3f", "?", "%25", "%")

// parseOutput takes PATH?frame=FRAMING apart, what follows the scheme in the URLs
// of stdout: and file:.
func parseOutput(rest string) (path string, f framing, err error) {
	path, query, asked := strings.Cut(rest, "?")
	path = literal.Replace(path)
	if !asked {
		return path, frameLine, nil
	}
	given := false
	for pair := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key != "frame" {
			return "", 0, fmt.Errorf("%w: unknown parameter %q after ?; the only one is frame (a ? in a path is written %%3F)", ErrURL, key)
		}
		if given {
			return "", 0, fmt.Errorf("%w: frame is given twice", ErrURL)
		}
		given = true
		var known bool
		if f, known = framings[value]; !known {
			return "", 0, fmt.Errorf("%w: frame=%s is not line, length or json", ErrURL, value)
		}
	}
	return path, f, nil
}

// SameFile reports whether two URLs are of file: and name one file, by whatever
// names and links, or would once it exists. Each sink needs a file of its own.
func SameFile(a, b string) bool {
	pathA, okA := filePath(a)
	pathB, okB := filePath(b)
	if !okA || !okB {
		return false
	}
	infoA, errA := os.Stat(pathA)
	infoB, errB := os.Stat(pathB)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	// Two names of which one exists are not one file.
	return errA != nil && errB != nil && destination(pathA) == destination(pathB)
}

// filePath is the path of a URL of file:.
func filePath(url string) (path string, ok bool) {
	rest, ok := strings.CutPrefix(url, "file:")
	if !ok {
		return "", false
	}
	path, _, err := parseOutput(rest)
	return path, err == nil && path != ""
}

// destination is where a file that does not exist would be created: path with its
// symbolic links followed.
func destination(path string) string {
	if target, err := durable.Follow(path); err == nil {
		path = target
	}
	dir, name := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(cmp.Or(dir, ".")); err == nil {
		dir = real
	}
	whole, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return path
	}
	return whole
}
