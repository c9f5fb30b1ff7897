package e2e

import (
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit/browser"
)

// TestPageInABrowser drives the page in Chromium.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	for name, drive := range map[string]func(*testing.T, *browser.Browser){
		"live": testPageLives, "hidden": testPageRests, "dead": testPageShowsDeath, "keyboard": testPageByKeyboard,
		"screen reader": testPageForScreenReaders, "sizes": testPageSizes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drive(t, b)
		})
	}
}

// desktop is a usual size.
var desktop = browser.Options{Width: 1280, Height: 900}

// open opens the page of a gateway and expects that it loads nothing from elsewhere and has no faults
// until the test ends.
func (p *process) open(b *browser.Browser, o browser.Options) *browser.Page {
	p.t.Helper()
	eventually(p.t, "the page", func() bool { status, _ := p.get("/"); return status == http.StatusOK })
	page := b.Open(p.t, "http://"+p.admin+"/", o)
	p.t.Cleanup(func() {
		for _, url := range page.Requests() {
			if !strings.HasPrefix(url, "http://"+p.admin+"/") {
				p.t.Errorf("a request for %s", url)
			}
		}
		for _, fault := range page.Faults() {
			if !strings.Contains(fault, "Failed to load resource") { // the gateway has ended
				p.t.Errorf("on the console: %s", fault)
			}
		}
	})
	return page
}

// polls returns how often the page has asked for what changes.
func polls(page *browser.Page) (n int) {
	for _, url := range page.Requests() {
		if strings.HasSuffix(url, "/live") {
			n++
		}
	}
	return n
}

func testPageLives(t *testing.T, b *browser.Browser) {
	kids, door := newChildren(t), newGate(t)
	p, s, c := connectFG(t, "{}", "--workers=1", kids.sink(t))
	page := p.open(b, desktop)
	page.Await("document.getElementById('state').textContent === 'live'")
	page.Eval("document.querySelector('.upstreams details').open = false; document.querySelector('summary').focus(); window.mark = document.querySelector('summary')")
	c.send(data(1, door.wait()))
	page.Await("document.getElementById('headline').textContent === 'Waiting for the workers'")
	page.Await("document.querySelector('.upstreams .chip').textContent === 'workers'")
	page.Await("document.title.startsWith('▲')")
	if kept := page.Eval("document.activeElement === window.mark && window.mark.isConnected && !document.querySelector('.upstreams details').open"); kept != true {
		t.Error("the focus or the closed details are lost")
	}
	page.Await("document.querySelectorAll('.tiles .spark path').length === 4")
	door.open(t)
	c.acks(1)
	page.Await("document.getElementById('headline').textContent === 'Keeping up, waiting for the upstream'")
	if text := page.Text(".upstreams th[scope=row]"); text != s.url() {
		t.Errorf("the upstream is %q", text)
	}
	p.stop(c)
}

// testPageRests: a page that nobody sees asks for nothing.
func testPageRests(t *testing.T, b *browser.Browser) {
	p, _, c := connectFG(t, "{}")
	page := p.open(b, desktop)
	eventually(t, "polls", func() bool { return polls(page) > 1 })
	hide := func(hidden string) {
		page.Eval("Object.defineProperty(document, 'hidden', {value: " + hidden + ", configurable: true}); document.dispatchEvent(new Event('visibilitychange'))")
	}
	hide("true")
	page.Eval("new Promise(done => setTimeout(done, 300))") // a request in progress
	before := polls(page)
	page.Eval("new Promise(done => setTimeout(done, 2500))")
	if after := polls(page); after != before {
		t.Errorf("%d requests while hidden", after-before)
	}
	hide("false")
	eventually(t, "another poll", func() bool { return polls(page) > before })
	page.Eval("document.getElementById('pause').click()")
	page.Await("document.getElementById('state').textContent === 'paused at'")
	page.Eval("new Promise(done => setTimeout(done, 300))")
	before = polls(page)
	page.Eval("new Promise(done => setTimeout(done, 2500))")
	if after := polls(page); after != before {
		t.Errorf("%d requests while paused", after-before)
	}
	p.stop(c)
}

// testPageShowsDeath: what is old does not look alive.
func testPageShowsDeath(t *testing.T, b *browser.Browser) {
	p, s, _ := connectFG(t, "{}")
	page := p.open(b, desktop)
	page.Await("document.getElementById('state').textContent === 'live' && document.getElementById('stale').hidden")
	p.signal(syscall.SIGKILL)
	<-p.exited
	page.Await("!document.getElementById('stale').hidden && document.title.startsWith('✕')")
	if text := page.Text("#stale"); !strings.Contains(text, "everything below is old") {
		t.Errorf("the alarm is %q", text)
	}
	page.Await("getComputedStyle(document.querySelector('main')).opacity < 1")
	again := start(t, launch{args: []string{"run", s.url(), "--sink=discard:", "--admin=" + p.admin}})
	s.accept().welcome(1, "{}")
	page.Await("document.getElementById('stale').hidden && document.getElementById('state').textContent === 'live' && !document.title.startsWith('✕')")
	again.signal(syscall.SIGKILL)
}

func testPageByKeyboard(t *testing.T, b *browser.Browser) {
	p, _, c := connectFG(t, "{}")
	page := p.open(b, desktop)
	page.Press("Tab")
	page.Await("document.activeElement.id === 'pause'")
	page.Press("Enter")
	page.Await("document.getElementById('pause').textContent === 'Resume'")
	page.Press(" ")
	page.Await("document.getElementById('pause').textContent === 'Pause'")
	page.Press("Tab")
	page.Await("document.activeElement.nodeName === 'SUMMARY'")
	if page.Eval("getComputedStyle(document.activeElement).outlineStyle !== 'none'") != true {
		t.Error("the focus is not visible")
	}
	page.Press("Enter")
	page.Await("!document.querySelector('.upstreams details').open")
	for _, path := range []string{"ready", "metrics", "stats", "ping"} {
		page.Press("Tab")
		page.Await("document.activeElement.getAttribute('href') === '" + path + "'")
	}
	p.stop(c)
}

func testPageForScreenReaders(t *testing.T, b *browser.Browser) {
	p, s, c := connectFG(t, "{}", "--workers=2")
	for _, width := range []int{1280, 400} { // at 400 px the tables are laid out as cards
		page := p.open(b, browser.Options{Width: width, Height: 900, NoScript: true})
		names := page.AccessibleNames()
		for _, want := range []string{
			"heading: feedgate", "rowheader: " + s.url(), "columnheader: Incoming/s", "columnheader: Acked/s", "columnheader: Waits for",
			"columnheader: Time per batch p50", "navigation: Other paths", "status: ", "link: /ready",
		} {
			if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, want) }) {
				t.Errorf("%d px: a screen reader finds no %q", width, want)
			}
		}
		tables := 0
		for _, name := range names {
			if strings.HasPrefix(name, "table: Upstreams") || strings.HasPrefix(name, "table: Sinks") {
				tables++
			}
		}
		if tables != 2 {
			t.Errorf("%d px: %d tables with captions", width, tables)
		}
	}
	if page := p.open(b, desktop); page.Eval("document.querySelectorAll('[aria-live],[role=status],[role=alert]').length") != 2.0 {
		t.Error("more than the headline and the alarm are read aloud")
	}
	p.stop(c)
}

// testPageSizes: nothing is wider than the window, neither 64 workers nor 200 upstreams, and the page
// follows the scheme of colours.
func testPageSizes(t *testing.T, b *browser.Browser) {
	one, _, c := connectFG(t, "{}", "--workers=64")
	many := []string{}
	for range 200 {
		many = append(many, "fg://"+freshAddress())
	}
	crowd := run(t, append(many, "--workers=1", "--reconnect-min=1s", "--reconnect-max=10s")...)
	backgrounds := map[any]bool{}
	for _, o := range []browser.Options{
		{Width: 1280, Height: 900}, {Width: 400, Height: 900, Dark: true}, {Width: 400, Height: 900, NoScript: true}, {Width: 800, Height: 600},
	} {
		page := one.open(b, o)
		if page.Eval("document.documentElement.scrollWidth <= innerWidth") != true {
			t.Errorf("64 workers are wider than %d px", o.Width)
		}
		if n := page.Eval("document.querySelectorAll('.rings tbody tr').length"); n != 64.0 {
			t.Errorf("%v workers", n)
		}
		backgrounds[page.Eval("getComputedStyle(document.body).backgroundColor")] = true
		page = crowd.open(b, o)
		if page.Eval("document.documentElement.scrollWidth <= innerWidth") != true {
			t.Errorf("200 upstreams are wider than %d px", o.Width)
		}
		if n := page.Eval("document.querySelectorAll('.upstreams > tbody').length"); n != 200.0 {
			t.Errorf("%v upstreams", n)
		}
		if text := page.Text("#headline"); text != "200 upstreams: 200 not connected" {
			t.Errorf("the headline is %q", text)
		}
	}
	if len(backgrounds) != 2 {
		t.Errorf("backgrounds %v, want one for light and one for dark", backgrounds)
	}
	one.stop(c)
}
