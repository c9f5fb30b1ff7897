package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"feedgate/bench/client"
)

// patience bounds every wait.
const patience = time.Minute

// TestMain makes the test binary feedgate-benthos, if a test starts it as such.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "--addr" {
		main()
		return
	}
	os.Exit(m.Run())
}

// outcome runs feedgate-benthos with a feed that sends text once. It returns its output.
func outcome(t *testing.T, text, to string) client.Outcome {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		c, err := listener.Accept()
		if err == nil {
			_, err = c.Write([]byte(text))
			c.Close()
		}
		served <- err
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, "--addr", listener.Addr().String(), "--workers", "2", "--work-ns", "0", "--to", to)
	cmd.Stdin = strings.NewReader("go\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	ready, last, _ := strings.Cut(string(out), "\n")
	var o client.Outcome
	if err := json.Unmarshal([]byte(last), &o); err != nil || ready != `{"ready":true}` {
		t.Fatalf("output %q: %v", out, err)
	}
	return o
}

func TestEveryLineIsPassedOn(t *testing.T) {
	text := strings.Repeat("0123456789\n", 5000)
	if o := outcome(t, text, "discard:"); o.Messages != 5000 || *o.CPUNS <= 0 || *o.Allocs <= 0 {
		t.Errorf("outcome %+v", o)
	}
	path := filepath.Join(t.TempDir(), "messages")
	if o := outcome(t, text, "file:"+path); o.Messages != 5000 {
		t.Errorf("outcome %+v", o)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("%d bytes instead of %d, %v", len(got), len(text), err)
	}
}
