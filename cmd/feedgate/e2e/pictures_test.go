package e2e

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit/browser"
	"feedgate/worker/testkit"
)

// pictures is where TestPictures stores its pictures.
var pictures = flag.String("pictures", "", "store pictures of the page and of top in this directory")

// scene is a feed and a gateway that show something.
type scene struct {
	name     string
	feed     string // flags
	gateway  string
	pictures []browser.Options
}

var scenes = []scene{
	{"idle", "--rate 0.2", "--workers 2 --sink file:idle.log", []browser.Options{{Width: 1280, Height: 760}}},
	{"busy", "--rate 50000 --size 32", "--workers 4 --sink file:busy.log", []browser.Options{
		{Width: 1280, Height: 760}, {Width: 1280, Height: 760, Dark: true}, {Width: 400, Height: 1560},
	}},
	{"slow", "--rate 30000", "--workers 2 --sink spin:100us --in-flight 20000 --ring 1024", []browser.Options{
		{Width: 1280, Height: 760, Dark: true}, {Width: 400, Height: 1560, Dark: true},
	}},
	{"stalled", "--rate 5000", "--workers 4 --sink exec:'sleep 1000' --stall-after 3s --in-flight 20000", []browser.Options{
		{Width: 1280, Height: 760}, {Width: 400, Height: 1680, Dark: true},
	}},
}

// pictureTime is how long a scene runs, for the lines of its last half minute.
const pictureTime = 30 * time.Second

// TestPictures makes the pictures of the documentation, by "make pictures". It takes two minutes.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("make pictures makes pictures")
	}
	b := browser.Start(t)
	for _, s := range scenes {
		t.Run(s.name, func(t *testing.T) {
			const admin, feed = "127.0.0.1:4190", "127.0.0.1:7000" // as in the documentation
			dir := t.TempDir()
			words := func(line string) []string { // of a shell, as far as the scenes need it
				var all []string
				for _, word := range regexp.MustCompile(`[^ ']*'[^']*'|[^ ]+`).FindAllString(line, -1) {
					all = append(all, strings.ReplaceAll(word, "'", ""))
				}
				return all
			}
			start(t, launch{args: append([]string{"feed", "--listen", feed}, words(s.feed)...)})
			p := start(t, launch{
				args:    append([]string{"run", "fg://" + feed, "--admin", admin}, words(s.gateway)...),
				prepare: func(cmd *exec.Cmd) { cmd.Dir = dir },
			})
			p.admin = admin
			var pages []*browser.Page
			for _, o := range s.pictures {
				pages = append(pages, p.open(b, o))
			}
			for width, height := range map[int]int{110: 20, 40: 28} {
				pty := testkit.NewPTY(t, width, height)
				top := topIn(t, pty, admin)
				defer func() {
					screen := regexp.MustCompile("\x1b?\\[[0-9;]*[A-Za-z]|\r").ReplaceAllString(pty.Screen(), "")
					top.signal(syscall.SIGTERM)
					store(t, fmt.Sprintf("top-%s-%d.txt", s.name, width), []byte(screen+"\n"))
				}()
			}
			time.Sleep(pictureTime)
			for i, o := range s.pictures {
				scheme := "light"
				if o.Dark {
					scheme = "dark"
				}
				store(t, fmt.Sprintf("%s-%d-%s.png", s.name, o.Width, scheme), shrink(t, pages[i].Screenshot()))
			}
		})
	}
}

// shrink returns a picture with the 256 colours that it has most; the others become the nearest of them.
func shrink(t *testing.T, encoded []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	pixels := make(map[color.Color]int)
	size := from.Bounds()
	for y := range size.Dy() {
		for x := range size.Dx() {
			pixels[from.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(pixels), func(a, b color.Color) int {
		return cmp.Or(pixels[b]-pixels[a], strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	to := image.NewPaletted(size, all[:min(len(all), 256)])
	draw.Draw(to, size, from, size.Min, draw.Src)
	var smaller bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&smaller, to); err != nil {
		t.Fatal(err)
	}
	return smaller.Bytes()
}

func store(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(*pictures, name), content, 0o644); err != nil {
		t.Error(err)
	}
}
