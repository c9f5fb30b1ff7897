package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	{"idle", "--rate 0.2", "--workers 2 --sink file:DIR/idle.log", []browser.Options{{Width: 1280, Height: 760}}},
	{"busy", "--rate 50000 --size 32", "--workers 4 --sink file:DIR/busy.log", []browser.Options{
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
			admin, feed := freshAddress(), freshAddress()
			dir := t.TempDir()
			words := func(line string) []string { // of a shell, as far as the scenes need it
				var all []string
				for _, word := range regexp.MustCompile(`[^ ']*'[^']*'|[^ ]+`).FindAllString(strings.ReplaceAll(line, "DIR", dir), -1) {
					all = append(all, strings.ReplaceAll(word, "'", ""))
				}
				return all
			}
			start(t, launch{args: append([]string{"feed", "--listen", feed}, words(s.feed)...)})
			p := start(t, launch{args: append([]string{"run", "fg://" + feed, "--admin", admin}, words(s.gateway)...)})
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
				store(t, fmt.Sprintf("%s-%d-%s.png", s.name, o.Width, scheme), pages[i].Screenshot())
			}
		})
	}
}

func store(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(*pictures, name), content, 0o644); err != nil {
		t.Error(err)
	}
}
