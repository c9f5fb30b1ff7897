// Package browser drives a headless Chromium in tests, by the DevTools protocol over a pipe.
package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds the time of one command.
const patience = 30 * time.Second

// Browser is a running Chromium.
type Browser struct {
	commands *os.File // to Chromium

	mu      sync.Mutex
	last    int                    // id of the last command
	replies map[int]chan<- message // of commands in progress
	pages   map[string]*Page       // by session
	ended   bool
}

// message is a command, its reply, or an event.
type message struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// Start starts Chromium, which is ended with the test. Without Chromium, the test is skipped.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("NOT TESTED: the page in a browser: there is no chromium (apt-get install chromium)")
	}
	in, commands, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	replies, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-extensions",
		"--force-device-scale-factor=1", "--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4, as Chromium has it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	out.Close()
	b := &Browser{commands: commands, replies: make(map[int]chan<- message), pages: make(map[string]*Page)}
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		b.read(bufio.NewReader(replies))
	}()
	t.Cleanup(func() {
		_ = b.call("", "Browser.close", struct{}{}, nil) // so that it waits for its children; the reply may be lost
		select {
		case <-reading:
		case <-time.After(patience):
		}
		commands.Close()
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		_ = cmd.Wait() // closed or killed
		<-reading
		replies.Close()
	})
	return b
}

// read passes replies and events on until the pipe ends.
func (b *Browser) read(from *bufio.Reader) {
	for {
		text, err := from.ReadBytes(0)
		if err != nil {
			break
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		reply, page := b.replies[m.ID], b.pages[m.Session]
		delete(b.replies, m.ID)
		b.mu.Unlock()
		switch {
		case m.ID != 0 && reply != nil:
			reply <- m
		case m.ID == 0 && page != nil:
			page.event(m)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	for _, reply := range b.replies {
		close(reply)
	}
	clear(b.replies)
}

// call sends a command and decodes its result, unless result is nil.
func (b *Browser) call(session, method string, params, result any) error {
	encoded, err := json.Marshal(params)
	if err != nil {
		return err
	}
	reply := make(chan message, 1)
	b.mu.Lock()
	if b.ended {
		b.mu.Unlock()
		return errors.New("the browser has ended")
	}
	b.last++
	b.replies[b.last] = reply
	text, err := json.Marshal(message{ID: b.last, Session: session, Method: method, Params: encoded})
	if err == nil {
		_, err = b.commands.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case m, ok := <-reply:
		switch {
		case !ok:
			return fmt.Errorf("%s: the browser has ended", method)
		case m.Error != nil:
			return fmt.Errorf("%s: %s", method, m.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-time.After(patience):
		return fmt.Errorf("%s: no reply within %v", method, patience)
	}
}
