package report

import (
	"testing"

	"feedgate/bench"

	"gonum.org/v1/plot/vg/draw"
)

// TestPalette: every subject has a unique and stable style.
func TestPalette(t *testing.T) {
	shapes := make(map[draw.GlyphDrawer]string)
	for _, s := range bench.Subjects {
		shape := inks[s.Name].shape
		if other, taken := shapes[shape]; s.Default && taken {
			t.Errorf("%s and %s have one shape", s.Name, other)
		} else if s.Default {
			shapes[shape] = s.Name
		}
		if _, known := inks[s.Name]; !known && !s.Control {
			t.Errorf("%s has no colour of its own", s.Name)
		}
	}
	if len(inks) < 2 || !inks[own].own {
		t.Error("feedgate has no colour of its own, or it is not marked as ours")
	}
	seen := make(map[style]string)
	for name, s := range inks {
		if other, taken := seen[s]; taken {
			t.Errorf("%s and %s look the same", name, other)
		}
		seen[s] = name
	}
	for _, s := range others {
		if other, taken := seen[s]; taken {
			t.Errorf("others look like %s", other)
		}
		seen[s] = "others"
	}

	p := make(palette)
	first, second := p.of("a"), p.of("b")
	if first == second || p.of("a") != first || p.of("b") != second || p.of(own) != inks[own] {
		t.Error("a style that changes")
	}
}
