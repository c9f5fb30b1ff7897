package admin

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

//go:embed page
var pageFiles embed.FS

// pageTemplates are "page.html", the page, and "live", the part of it that its script replaces.
var pageTemplates = template.Must(func() (*template.Template, error) {
	all := template.New("page").Funcs(pageFuncs)
	if _, err := all.New("live").Parse(pageFile("live.html")); err != nil {
		return nil, err
	}
	return all.New("page.html").Parse(pageFile("page.html"))
}())

var (
	pageStyle  = pageFile("style.css")
	pageScript = pageFile("script.js")

	// pageBuild changes with each part of the page. A script that finds another one reloads the page.
	pageBuild = digest(pageStyle + pageScript + pageFile("page.html") + pageFile("live.html"))[:16]

	// pagePolicy allows the page its style, its script, and requests to the admin address.
	pagePolicy = fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'", digest(pageStyle), digest(pageScript))
)

func pageFile(name string) string {
	text, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// pageContent is what "page.html" shows.
type pageContent struct {
	View   *view.View
	Style  template.CSS
	Script template.JS
	Build  string
}

// handlePage answers with the page, which is complete without its script.
func (s *sampler) handlePage(w http.ResponseWriter, r *http.Request) {
	now, err := s.sample(r.Context())
	if err != nil {
		return // the peer is gone
	}
	var page bytes.Buffer
	content := pageContent{now.view, template.CSS(pageStyle), template.JS(pageScript), pageBuild}
	if err := pageTemplates.ExecuteTemplate(&page, "page.html", content); err != nil {
		panic(err) // the templates do not go with the view
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	answerHTML(w, page.Bytes())
}

// handleLive answers with the part of the page that changes.
func (s *sampler) handleLive(w http.ResponseWriter, r *http.Request) {
	now, err := s.sample(r.Context())
	if err != nil {
		return
	}
	w.Header().Set("Feedgate-Page", pageBuild)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	answerHTML(w, now.live)
}

func answerHTML(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Write(body)
}
