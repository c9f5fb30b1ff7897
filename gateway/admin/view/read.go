package view

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"feedgate/worker/histogram"
)

// object is a JSON object, decoded or about to be encoded.
type object map[string]any

func (o object) object(name string) object {
	of, _ := o[name].(map[string]any)
	return of
}

// number returns a number of at least 0.
func (o object) number(name string) float64 {
	n := 0.0
	switch v := o[name].(type) {
	case float64:
		n = v
	case uint64:
		n = float64(v)
	case json.Number:
		n, _ = v.Float64()
	}
	if !(n > 0) || math.IsInf(n, 0) {
		return 0
	}
	return n
}

func (o object) text(name string) string {
	text, _ := o[name].(string)
	return Clean(text)
}

// texts returns the texts of a list.
func (o object) texts(name string) (all []string) {
	switch list := o[name].(type) {
	case []string:
		for _, text := range list {
			all = append(all, Clean(text))
		}
	case []any:
		for _, v := range list {
			if text, ok := v.(string); ok {
				all = append(all, Clean(text))
			}
		}
	}
	return all
}

func (o object) numbers(name string) map[string]float64 {
	of := o.object(name)
	all := make(map[string]float64, len(of))
	for key := range of {
		all[Clean(key)] = of.number(key)
	}
	return all
}

// histogram returns a histogram; its buckets must be ascending.
func (o object) histogram(name string) (h histogram.Snapshot) {
	of := o.object(name)
	h.Count, h.Sum = uint64(of.number("count")), of.number("sum")
	buckets := of.object("buckets")
	for key := range buckets {
		if bound, err := strconv.ParseFloat(key, 64); err == nil && bound > 0 {
			h.Bounds = append(h.Bounds, bound)
		}
	}
	slices.Sort(h.Bounds)
	h.Bounds = slices.Compact(h.Bounds)
	last := uint64(0)
	for _, bound := range h.Bounds {
		last = max(last, uint64(buckets.number(strconv.FormatFloat(bound, 'g', -1, 64))))
		h.Counts = append(h.Counts, last)
	}
	h.Count = max(h.Count, last)
	return h
}

// firstKey returns the only key of an object.
func firstKey(o object) string {
	first := ""
	for key := range o {
		if first == "" || key < first {
			first = key
		}
	}
	return Clean(first)
}

// maxText is the length of the longest text, in bytes. Words with many workers have some 500.
const maxText = 2000

// Clean returns text for a person to read: without control characters, those that change the direction of
// the text, and invalid UTF-8, each of which becomes U+FFFD, and not longer than 2,000 bytes.
func Clean(text string) string {
	if len(text) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}
