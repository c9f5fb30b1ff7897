package e2e

import (
	"strings"
	"testing"
)

// TestURLAfterFlagsIsExplained: the error shows the right order. It does not quote the URL, which
// may contain a secret.
func TestURLAfterFlagsIsExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "ws://a:1", "--sink=discard:", "ws://b:2?token=s3cret"}, "feedgate run URL1 URL2 --FLAG"},
	} {
		got := command(t, nil, c.args...)
		if got.status != 2 || !strings.Contains(got.stderr, c.want) || strings.Contains(got.stderr, "s3cret") {
			t.Errorf("%q: status %d, %q; want 2 and %q", c.args, got.status, got.stderr, c.want)
		}
	}
	if got := command(t, nil, "frobnicate"); got.status != 2 || !strings.Contains(got.stderr, "unexpected argument frobnicate") {
		t.Errorf("status %d, %q", got.status, got.stderr)
	}
}

// TestDiscardLogsSumsOnlyIfItRan: not if another error ends the start.
func TestDiscardLogsSumsOnlyIfItRan(t *testing.T) {
	t.Parallel()
	sink := newFileSink(t)
	p, _, c := connectFG(t, "{}", "--workers=1", sink.flag())
	got := command(t, nil, "run", "fg://127.0.0.1:1", "--admin=", "--sink=discard:", "--dead-letter=file:"+sink.path)
	if got.status != 1 || !strings.Contains(got.stderr, "in use") || strings.Contains(got.stderr, "discarded") {
		t.Errorf("status %d, %q; want 1 and no sums", got.status, got.stderr)
	}
	p.stop(c)

	p, _, c = connectFG(t, "{}", "--exit-on-close", "--sink=discard:")
	c.finish(0, 0)
	p.exit(0)
	if !strings.Contains(p.stderr.String(), "msg=discarded") {
		t.Error("the sums of a sink that ran are not logged")
	}
}
