package bench_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"feedgate/bench"
)

func TestFaultsNameTheirFlags(t *testing.T) {
	for _, c := range []struct {
		config bench.Config
		want   string
	}{
		{bench.Config{Subjects: []string{"inline", "nobody"}}, `--subjects: there is no "nobody"; there are limit, inline`},
		{bench.Config{Subjects: []string{"inline", "inline"}}, "--subjects: inline is there twice"},
		{bench.Config{Sizes: []int{0}}, "--size: 0 is not"},
		{bench.Config{Sizes: []int{1<<20 + 1}}, "--size: 1048577 is not"},
		{bench.Config{Sizes: []int{8, 8}}, "--size: 8 is there twice"},
		{bench.Config{Workers: []int{0}}, "--workers: 0 is not"},
		{bench.Config{Workers: []int{2, 2}}, "--workers: 2 is there twice"},
		{bench.Config{Msgs: 1, Duration: time.Second}, "--duration: does not go with --msgs"},
		{bench.Config{Duration: -1}, "--duration: -1ns is not"},
		{bench.Config{Rate: -1}, "--rate: -1 is neither"},
		{bench.Config{Rate: 1e-300}, "--rate: 1e-300 is neither"},
		{bench.Config{Rate: math.NaN()}, "--rate: NaN is neither"},
		{bench.Config{Msgs: 10000, Rate: 1}, "--msgs: 10000 at --rate 1 take longer"},
		{bench.Config{Msgs: math.MaxUint64}, "--msgs: 18446744073709551615 is more"},
		{bench.Config{Work: time.Minute}, "--work: 1m0s is not"},
		{bench.Config{Subjects: []string{"nsq-inline"}, Rate: 5}, "--rate: not with nsq-inline"},
		{bench.Config{Subjects: []string{"nsq-inline@/x"}, Msgs: 5_000_001}, "--msgs: 5000001 is more than the 5000000"},
		{bench.Config{Subjects: []string{"line-file"}, Work: 1}, "--work: not with line-file"},
		{bench.Config{Subjects: []string{"kafka-bare"}, Read: true}, "--read: not with kafka-bare"},
		{bench.Config{Subjects: []string{"kafka-feedgate"}, Sizes: []int{1 << 20}}, "--size: 1048576 is more than the 900000 bytes that kafka-feedgate"},
		{bench.Config{Rounds: -1}, "--rounds: -1 is not"},
		{bench.Config{Keys: -1}, "--keys: -1 is not"},
		{bench.Config{KeyForm: "json"}, "--key-form: goes with --keys"},
		{bench.Config{Keys: 1, KeyForm: "xml"}, `--key-form: "xml" is not one of bytes, field, json`},
		{bench.Config{Keys: 1, KeyForm: "json", Sizes: []int{64}}, "--size: 64 is too short for --key-form json, which needs 80 bytes"},
		{bench.Config{Subjects: []string{"feedgate-key"}, Sizes: []int{7}}, "--size: 7 is too short for --key-form bytes"},
	} {
		if err := c.config.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	all := bench.Config{Rate: -1, Rounds: -1, Work: -1}.Validate()
	if all == nil || strings.Count(all.Error(), "\n") != 2 {
		t.Errorf("three faults make %v", all)
	}
	if err := (bench.Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestSubjectsAreDocumented(t *testing.T) {
	defaults := 0
	for _, s := range bench.Subjects {
		clients := 0
		made := s.Keyed || s.Destination != "" && s.Program == ""
		for _, is := range []bool{s.Run != nil, made, s.Program != ""} {
			if is {
				clients++
			}
		}
		if s.Doc == "" || (s.Question == "") != s.Control || clients != 1 || s.Protocol == "" || bench.Find(s.Name) == nil {
			t.Errorf("subject %+v", s)
		}
		if s.Default {
			defaults++
			if s.Control || !(bench.Config{}).Measures(s.Name) {
				t.Errorf("%s is a default that is not measured, or a control", s.Name)
			}
		}
	}
	if defaults < 7 {
		t.Errorf("%d subjects by default", defaults)
	}
}

// TestSubjectsAreInTheDocs: the table of docs/benchmarks.md has the words of the help, in the same order.
func TestSubjectsAreInTheDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := strings.ReplaceAll(string(text), "`", "")
	for _, s := range bench.Subjects {
		if s.Control {
			continue
		}
		row := fmt.Sprintf("\n| %s | %s | %s |\n", s.Name, s.Doc, s.Question)
		at := strings.Index(rest, row)
		if at < 0 {
			t.Errorf("no row, or not in order: %s", row)
			continue
		}
		rest = rest[at+len(row)-1:]
	}
}
