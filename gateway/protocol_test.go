package gateway

import (
	"reflect"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/gateway/wire/nsq"
	"feedgate/gateway/wire/tcp"
	"feedgate/gateway/wire/ws"
)

// protocols are those that the tests use.
var protocols = wire.Registry{&fg1.Scheme, &tcp.Scheme, &ws.Scheme, &nsq.Scheme}

// aim points cfg at a URL's server.
func aim(t testing.TB, cfg *Config, url string) {
	t.Helper()
	u, err := protocols.Parse(url, protocols.NewFlags())
	if err != nil {
		t.Fatal(err)
	}
	cfg.URL, cfg.Hosts, cfg.Secure, cfg.Protocol = u.URL, u.Hosts, u.Secure, u.Protocol
}

// setFlag sets a flag of cfg's protocol.
func setFlag(cfg *Config, name, value string) {
	found := false
	switch p := cfg.Protocol.(type) {
	case tcp.Protocol:
		found = setField(reflect.ValueOf(&p).Elem(), name, value)
		cfg.Protocol = p
	case ws.Protocol:
		found = setField(reflect.ValueOf(&p).Elem(), name, value)
		cfg.Protocol = p
	}
	if !found {
		panic(cfg.URL + " has no flag " + name)
	}
}

func setField(v reflect.Value, name, value string) bool {
	for i := range v.NumField() {
		field := v.Field(i)
		switch {
		case field.Kind() == reflect.Struct && setField(field, name, value):
			return true
		case v.Type().Field(i).Tag.Get("name") == name:
			if field.Kind() == reflect.Slice {
				field.Set(reflect.ValueOf([]string{value}))
			} else {
				field.SetString(value)
			}
			return true
		}
	}
	return false
}
