package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"feedgate/gateway/tlstest"
)

var (
	interop = flag.Bool("interop", false, "run with python3-websockets, which must be installed")
	python  = flag.String("python", "/usr/bin/python3", "the Python that has websockets")
)

const count = 4000 // messages, as in server.py

// report is the output of the server at its end.
type report struct {
	Port                                                        int
	Acks, Doubled, Unknown, Odd, Bytes, Fragmented, Pongs, Code int
}

// TestPythonWebsockets: 4,000 messages of up to 300 KiB, a third of them fragmented, with pings in
// between, without and with TLS. The file has all of them, each is acked once, and the close is
// clean.
func TestPythonWebsockets(t *testing.T) {
	if !*interop {
		t.Skip("requires python3-websockets; make interop runs it")
	}
	feedgate := filepath.Join(t.TempDir(), "feedgate")
	if out, err := exec.Command("go", "build", "-o", feedgate, "feedgate/cmd/feedgate").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("ws", func(t *testing.T) { exchange(t, feedgate, "ws") })
	t.Run("wss", func(t *testing.T) {
		ca := tlstest.NewAuthority(t)
		cert, key := ca.Files(ca.Issue(nil))
		exchange(t, feedgate, "wss", ca.File, cert, key)
	})
}

// exchange runs the server and the gateway to their ends. files are the CA for the gateway, the
// server's certificate and its key.
func exchange(t *testing.T, feedgate, scheme string, files ...string) {
	server := exec.Command(*python, append([]string{"server.py"}, files[min(len(files), 1):]...)...)
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	server.Stderr = &stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	output := json.NewDecoder(stdout)
	var r report
	if err := output.Decode(&r); err != nil {
		_ = server.Wait()
		t.Fatalf("the server does not start: %v\n%s", err, stderr.Bytes())
	}
	path := filepath.Join(t.TempDir(), "out")
	args := []string{"run", fmt.Sprintf("%s://127.0.0.1:%d/feed?x=1", scheme, r.Port), "--ack-template=A{n}",
		"--sink=file:" + path, "--exit-on-close", "--admin=", "--workers=2"}
	if len(files) > 0 {
		args = append(args, "--tls-ca="+files[0])
	}
	if out, err := exec.Command(feedgate, args...).CombinedOutput(); err != nil {
		_ = server.Process.Kill()
		_ = server.Wait()
		t.Fatalf("feedgate: %v\n%s\nserver: %s", err, out, stderr.Bytes())
	}
	if err := output.Decode(&r); err != nil {
		t.Errorf("no report: %v", err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("server: %v\n%s", err, stderr.Bytes())
	}
	if r.Acks != count || r.Doubled+r.Unknown+r.Odd > 0 || r.Code != 1000 {
		t.Errorf("the server reports %+v", r)
	}
	checkFile(t, path)
	t.Logf("%d messages, %d bytes, %d of them fragmented, %d acks, %d pongs, close code %d", count, r.Bytes, r.Fragmented, r.Acks, r.Pongs, r.Code)
}

// checkFile checks that the file has every message once, unchanged.
func checkFile(t *testing.T, path string) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := make([]int, count)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		parts := bytes.SplitN(lines.Bytes(), []byte(":"), 3)
		index, err := strconv.Atoi(string(parts[0]))
		if err != nil || index < 0 || index >= count || len(parts) != 3 {
			t.Fatalf("a line of %d bytes is not a message", len(lines.Bytes()))
		}
		if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE(parts[2])); sum != string(parts[1]) {
			t.Errorf("message %d: checksum %s, want %s", index, sum, parts[1])
		}
		seen[index]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for index, n := range seen {
		if n != 1 {
			t.Errorf("the file has message %d %d times", index, n)
		}
	}
}
