package browser

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"feedgate/worker/testkit"
)

// Page is a tab. The test's goroutine calls its methods; errors fail the test.
type Page struct {
	t       testing.TB
	browser *Browser
	session string

	requests, faults []string // under browser.mu
}

// Options are those of a page.
type Options struct {
	Width, Height int
	Dark          bool
	NoScript      bool
}

// Open opens a page and waits until it is loaded.
func (b *Browser) Open(t testing.TB, url string, o Options) *Page {
	t.Helper()
	p := &Page{t: t, browser: b}
	var target struct{ TargetID string }
	p.browserCall("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	p.browserCall("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	p.session = attached.SessionID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	scheme := "light"
	if o.Dark {
		scheme = "dark"
	}
	for _, domain := range []string{"Page", "Network", "Runtime", "Log"} {
		p.call(domain+".enable", nil, nil)
	}
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": o.Width, "height": o.Height, "deviceScaleFactor": 1, "mobile": false}, nil)
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	p.call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil) // of several pages at once
	p.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": o.NoScript}, nil)
	p.call("Page.navigate", map[string]any{"url": url}, nil)
	p.Await("document.readyState === 'complete' && location.href !== 'about:blank'")
	return p
}

// event records requests, exceptions, and what the console shows, such as violations of the policy.
func (p *Page) event(m message) {
	var params struct {
		Request          struct{ URL string }
		Entry            struct{ Level, Text, URL string }
		ExceptionDetails json.RawMessage
	}
	if json.Unmarshal(m.Params, &params) != nil {
		return
	}
	p.browser.mu.Lock()
	defer p.browser.mu.Unlock()
	switch {
	case m.Method == "Network.requestWillBeSent":
		p.requests = append(p.requests, params.Request.URL)
	case m.Method == "Log.entryAdded" && params.Entry.Level == "error":
		p.faults = append(p.faults, params.Entry.Text+" "+params.Entry.URL)
	case m.Method == "Runtime.exceptionThrown":
		p.faults = append(p.faults, string(params.ExceptionDetails))
	}
}

// Requests returns the URLs of all requests so far.
func (p *Page) Requests() []string {
	p.browser.mu.Lock()
	defer p.browser.mu.Unlock()
	return slices.Clone(p.requests)
}

// Faults returns the exceptions and the errors on the console so far.
func (p *Page) Faults() []string {
	p.browser.mu.Lock()
	defer p.browser.mu.Unlock()
	return slices.Clone(p.faults)
}

// Eval returns the value of an expression.
func (p *Page) Eval(expression string) any {
	p.t.Helper()
	value, text := p.evaluate(expression)
	if text != "" {
		p.t.Fatalf("%s: %s", expression, text)
	}
	return value
}

func (p *Page) evaluate(expression string) (value any, fault string) {
	p.t.Helper()
	var reply struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	p.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &reply)
	if e := reply.ExceptionDetails; e != nil {
		return nil, e.Text + " " + e.Exception.Description
	}
	return reply.Result.Value, ""
}

// Await waits until an expression is true. Exceptions count as false.
func (p *Page) Await(expression string) {
	p.t.Helper()
	testkit.Eventually(p.t, expression, func() bool {
		value, _ := p.evaluate(expression)
		return value == true
	})
}

// Text returns the text of the first element that a CSS selector selects, as it is rendered.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		p.t.Fatal(err)
	}
	text, _ := p.Eval("document.querySelector(" + string(quoted) + ").innerText").(string)
	return text
}

// Press presses a key, such as Tab or Enter.
func (p *Page) Press(key string) {
	p.t.Helper()
	code := map[string]int{"Tab": 9, "Enter": 13, " ": 32}[key]
	text := map[string]string{"Enter": "\r", " ": " "}[key]
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": key, "text": text, "windowsVirtualKeyCode": code}, nil)
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}, nil)
}

// Screenshot returns the page as PNG.
func (p *Page) Screenshot() []byte {
	p.t.Helper()
	var shot struct{ Data string }
	p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	return png
}

// AccessibleNames returns the roles and names of the page's elements for a screen reader, as "role: name".
func (p *Page) AccessibleNames() (all []string) {
	p.t.Helper()
	var tree struct {
		Nodes []struct {
			Ignored    bool
			Role, Name struct{ Value any }
		}
	}
	p.call("Accessibility.getFullAXTree", nil, &tree)
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		if !n.Ignored {
			all = append(all, role+": "+name)
		}
	}
	return all
}

func (p *Page) call(method string, params map[string]any, result any) {
	p.t.Helper()
	if params == nil {
		params = map[string]any{}
	}
	if err := p.browser.call(p.session, method, params, result); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Page) browserCall(method string, params map[string]any, result any) {
	p.t.Helper()
	if err := p.browser.call("", method, params, result); err != nil {
		p.t.Fatal(err)
	}
}

// Call calls a method of the DevTools protocol.
func (p *Page) Call(method string, params map[string]any) {
	p.t.Helper()
	p.call(method, params, nil)
}
