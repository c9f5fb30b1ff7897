// Package top shows what a running gateway does, in a terminal, from its admin address.
package top

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"feedgate/gateway/admin/view"
)

const (
	// askLimit is how long the answer may take.
	askLimit = 3 * time.Second
	// maxAnswer is the longest answer that is read. 200 upstreams of 64 workers have some 2 MiB.
	maxAnswer = 32 << 20
)

// client asks an admin address.
type client struct {
	addr string // as given
	url  string // of /stats
	http http.Client
}

// newClient returns a client for an address, HOST:PORT or a URL.
func newClient(addr string) (*client, error) {
	base, shown := addr, view.Clean(addr)
	if !strings.Contains(addr, "://") {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || port == "" {
			return nil, fmt.Errorf("ADDR: %q is not HOST:PORT", addr)
		}
		if host == "" {
			host = "127.0.0.1"
		}
		base = "http://" + net.JoinHostPort(host, port)
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("ADDR: %q is not HOST:PORT, nor the http:// or https:// URL of a page", addr)
	}
	if strings.Contains(addr, "://") {
		shown = view.Clean(u.Redacted())
	}
	return &client{
		addr: shown, url: u.JoinPath("stats").String(),
		http: http.Client{
			Timeout:       askLimit,
			Transport:     &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute}, // without a proxy
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// ask returns what the gateway does now.
func (c *client) ask(ctx context.Context) (*view.Snapshot, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, reason(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", view.Clean(answer.Status))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, reason(err)
	}
	var stats map[string]any
	if len(body) > maxAnswer || json.Unmarshal(body, &stats) != nil || stats["upstreams"] == nil {
		return nil, errors.New("its answer is not that of a gateway")
	}
	return view.FromStats(stats, time.Now()), nil
}

// reason returns why a request failed, without its URL.
func reason(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	if failed.Timeout() {
		return fmt.Errorf("no answer within %v", askLimit)
	}
	var operation *net.OpError
	if errors.As(failed.Err, &operation) {
		return errors.New(view.Clean(operation.Err.Error()))
	}
	return errors.New(view.Clean(failed.Err.Error()))
}
