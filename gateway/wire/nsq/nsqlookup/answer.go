package nsqlookup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// maxAnswer is the longest answer that is read, in bytes. A producer takes about 170.
const maxAnswer = 1 << 20

// topicNotFound is an nsqlookupd's message, with status 404, for a topic that no nsqd has.
const topicNotFound = "TOPIC_NOT_FOUND"

// answer is an nsqlookupd's answer in either form: bare since nsq 1.0, in an envelope before. The
// text of an error has one of two names.
type answer struct {
	Producers json.RawMessage `json:"producers"`
	Message   string          `json:"message"`

	StatusCode int    `json:"status_code"`
	StatusText string `json:"status_txt"`
	Data       *struct {
		Producers json.RawMessage `json:"producers"`
	} `json:"data"`
}

// producer is an nsqd that has the topic.
type producer struct {
	Host string `json:"broadcast_address"`
	Port int    `json:"tcp_port"`
}

// readAnswer reads the nsqds, each HOST:PORT, from an answer. It leaves out invalid addresses and
// counts them. Its errors quote nothing of the body.
func readAnswer(r *http.Response) (nsqds []string, bad int, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, 0, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return parseAnswer(r.StatusCode, body)
}

func parseAnswer(status int, body []byte) (nsqds []string, bad int, err error) {
	var a answer
	notJSON := json.Unmarshal(body, &a)
	if status == http.StatusOK && a.StatusCode != 0 {
		status = a.StatusCode
	}
	switch {
	case status == http.StatusNotFound && (a.Message == topicNotFound || a.StatusText == topicNotFound):
		return nil, 0, nil
	case status != http.StatusOK:
		return nil, 0, fmt.Errorf("the answer has status %d", status)
	case notJSON != nil:
		return nil, 0, errors.New("the answer is not the JSON of an nsqlookupd")
	}
	list := a.Producers
	if a.Data != nil {
		list = a.Data.Producers
	}
	var producers []producer
	if err := json.Unmarshal(list, &producers); err != nil {
		return nil, 0, errors.New("the answer has no list of producers")
	}
	for _, p := range producers {
		if !p.dialable() {
			bad++
			continue
		}
		nsqds = append(nsqds, net.JoinHostPort(p.Host, strconv.Itoa(p.Port)))
	}
	return nsqds, bad, nil
}

// dialable reports whether p is a valid address. The host becomes part of a URL, so it must
// consist of the characters of host names and IP addresses.
func (p producer) dialable() bool {
	if p.Port < 1 || p.Port > 65535 {
		return false
	}
	if ip, err := netip.ParseAddr(p.Host); err == nil {
		return ip.Zone() == ""
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	return p.Host != "" && len(p.Host) <= 253 && strings.Trim(p.Host, letters) == ""
}
