package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"

	"feedgate/bench/peers"
)

// report is the server's line about one connection.
type report struct {
	peers.Served
	Err string
}

// serve is the server process: it writes its address, then a report on each
// connection, and ends with in, that is, with the rig.
func serve(ctx context.Context, o options, in io.Reader, out io.Writer) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		ln.Close()
	}()
	fmt.Fprintln(out, ln.Addr())
	srv := peers.Server{Messages: o.msgs, Size: o.size, Verify: o.verify}
	lines := json.NewEncoder(out)
	for {
		c, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		var r report
		if r.Served, err = srv.Serve(c.(*net.TCPConn)); err != nil {
			r.Err = err.Error()
		}
		if err := lines.Encode(r); err != nil {
			return err
		}
	}
}

// server is the rig's hold on its server process.
type server struct {
	addr    string
	reports <-chan report // closed when the process ends
	cmd     *exec.Cmd
	stdin   io.Closer
}

func startServer(self string, o options) (*server, error) {
	cmd := exec.Command(self, "-role", "server", "-msgs", strconv.FormatUint(o.msgs, 10),
		"-size", strconv.Itoa(o.size), "-verify="+strconv.FormatBool(o.verify))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		return nil, errors.Join(errors.New("server said no address"), lines.Err(), stdin.Close(), cmd.Wait())
	}
	reports := make(chan report, 16)
	s := &server{addr: lines.Text(), reports: reports, cmd: cmd, stdin: stdin}
	go func() {
		defer close(reports)
		for lines.Scan() {
			var r report
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				r.Err = "unreadable report: " + err.Error()
			}
			reports <- r
		}
	}()
	return s, nil
}

func (s *server) stop() error {
	err := s.stdin.Close()
	for range s.reports { // Wait may close the pipe only after it was read to its end
	}
	return errors.Join(err, s.cmd.Wait())
}
