// Package page is the page at / of the admin address.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"

	"feedgate/gateway/admin/view"
)

//go:embed page.html live.html style.css script.js
var files embed.FS

// templates are page.html, the page, and live.html, the part of it that its script replaces.
var templates = template.Must(template.New("page").Funcs(funcs).ParseFS(files, "*.html"))

var (
	style  = file("style.css")
	script = file("script.js")

	// build changes with each part of the page. A script that finds another one reloads the page.
	build = digest(style + script + file("page.html") + file("live.html"))[:16]

	// policy allows the page its style, its script, and requests to the admin address.
	policy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", digest(style), digest(script))
)

func file(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Page answers requests for the page. Any goroutine may call its methods.
type Page struct{ sampler sampler }

// New returns a page of what stats returns, the answer of /stats.
func New(stats func() map[string]any) *Page { return &Page{sampler{stats: stats}} }

// content is what page.html shows.
type content struct {
	View   *view.View
	Live   template.HTML
	Style  template.CSS
	Script template.JS
	Build  string
}

// ServePage answers with the page, which is complete without its script.
func (p *Page) ServePage(w http.ResponseWriter, r *http.Request) {
	now, err := p.sampler.sample(r.Context())
	if err != nil {
		return // the peer is gone
	}
	w.Header().Set("Content-Security-Policy", policy)
	answer(w, render("page.html", content{
		now.view, template.HTML(now.live), template.CSS(style), template.JS(script), build,
	}))
}

// ServeLive answers with the part of the page that changes.
func (p *Page) ServeLive(w http.ResponseWriter, r *http.Request) {
	now, err := p.sampler.sample(r.Context())
	if err != nil {
		return
	}
	w.Header().Set("Feedgate-Page", build)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	answer(w, now.live)
}

func render(name string, data any) []byte {
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, name, data); err != nil {
		panic(err) // the template does not fit the data
	}
	return html.Bytes()
}

func answer(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Write(body)
}
