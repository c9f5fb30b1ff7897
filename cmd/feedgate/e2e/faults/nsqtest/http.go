package nsqtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// client keeps no connections, and so no goroutines, between requests.
var client = &http.Client{
	Timeout:   patience,
	Transport: &http.Transport{DisableKeepAlives: true},
}

// errUnknown is in the error for an unknown topic or channel.
var errUnknown = errors.New("not found")

// call sends an HTTP request to the process and decodes the response into result, unless that is
// nil.
func (p *Process) call(method, path string, query url.Values, body io.Reader, result any) error {
	request, err := http.NewRequest(method, "http://"+p.HTTP+path+"?"+query.Encode(), body)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%s %s: %w: %.200s", method, path, errUnknown, answer)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s: %.200s", method, path, response.Status, answer)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// mustPost sends a command.
func (p *Process) mustPost(path string, query url.Values) {
	p.t.Helper()
	if err := p.call(http.MethodPost, path, query, nil, nil); err != nil {
		p.t.Fatal(err)
	}
}
