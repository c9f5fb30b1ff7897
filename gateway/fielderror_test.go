package gateway

import (
	"errors"
	"testing"
	"time"
)

// TestErrorsNameFields: every fault of a Config is a FieldError, which names fields where the
// command names flags.
func TestErrorsNameFields(t *testing.T) {
	for _, c := range []struct {
		change              func(*Config)
		field, text, byFlag string
	}{
		{func(c *Config) { c.Ring = 3 }, "Ring", "Ring: 3 is not a power of two", "--ring: 3 is not a power of two"},
		{func(c *Config) { c.MaxMessage, c.Memory = 100, 200 }, "Memory",
			"Memory: 200 bytes is under 4 times MaxMessage (400)", "--memory: 200 bytes is under 4 times --max-message (400)"},
		{func(c *Config) { c.ReconnectMin, c.ReconnectMax = 2*time.Second, time.Second }, "ReconnectMax",
			"ReconnectMax: 1s is less than ReconnectMin 2s", "--reconnect-max: 1s is less than --reconnect-min 2s"},
		{func(c *Config) { c.Dispatch = "key" }, "Key",
			"Key: Dispatch key needs one of bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B, meta:NAME",
			"--key: --dispatch key needs one of bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B, meta:NAME"},
		{func(c *Config) { c.ID = "x" }, "ID", `ID: selector "x": want bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B or meta:NAME`,
			`--id: selector "x": want bytes:OFFSET:LENGTH, field:N:SEP, json:NAME, json:/A/B or meta:NAME`},
		{func(c *Config) { c.Hosts = []string{"h"} }, "Hosts", `Hosts: "h" is not HOST:PORT`, `upstream URL: "h" is not HOST:PORT`},
		{func(c *Config) { c.Hosts = nil }, "Hosts", "Hosts: no host", "upstream URL: no host"},
		{func(c *Config) { c.Label = "\xff" }, "Label", "Label: it is not UTF-8", "Label: it is not UTF-8"},
		{func(c *Config) { c.Dispatch = "x--max-y" }, "Dispatch", `Dispatch: "x--max-y" is not one of spread, key`, `--dispatch: "x--max-y" is not one of spread, key`},
		{func(c *Config) { c.Sink = nil }, "Sink", "Sink: none", "--sink: none"},
	} {
		cfg := testConfig(t, "fg://h:1", accept)
		c.change(&cfg)
		_, err := New(cfg)
		var field *FieldError
		if !errors.Is(err, ErrConfig) || !errors.As(err, &field) || field.Field != c.field || err.Error() != c.text {
			t.Errorf("error %v of field %+v, want %s", err, field, c.text)
			continue
		}
		if byFlag := ByFlag(err); byFlag.Error() != c.byFlag || !errors.Is(byFlag, ErrConfig) {
			t.Errorf("by flag: %v, want %s", byFlag, c.byFlag)
		}
	}
}

// TestErrorsAreJoined: each of several faults can be picked out.
func TestErrorsAreJoined(t *testing.T) {
	cfg := testConfig(t, "fg://h:1", accept)
	cfg.Workers, cfg.Retries, cfg.Protocol = -1, -1, nil
	err := cfg.Validate()
	var fields []string
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		fields = append(fields, one.(*FieldError).Field)
	}
	if len(fields) != 3 || fields[0] != "Workers" || fields[1] != "Retries" || fields[2] != "Protocol" || !errors.Is(err, ErrNoProtocol) {
		t.Errorf("fields %q of %v", fields, err)
	}
	wrapped := errors.Join(errors.New("one"), err)
	if want := "one\n--workers: -1 is not in 1 to 1024\n--retries: -1 is not in 0 to 1048576\nProtocol: none"; ByFlag(wrapped).Error() != want {
		t.Errorf("by flag: %v", ByFlag(wrapped))
	}
	if ByFlag(nil) != nil {
		t.Error("by flag: nil is an error")
	}
}
