package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/schemacast/schemacast/internal/testenv"
)

// The tests of files named browser_* look at the dashboard with a real browser. Each
// builds a ground whose worker serves the page, and runs scripts of web/browser, which
// drive Chromium and ask the ground for what they need: see control.

// browserPatience bounds the scripts of one ground.
const browserPatience = 8 * time.Minute

// What most of the page does needs no more than one installation; every test of a script
// has a tenant of its own there.
func TestBrowserDashboard(t *testing.T) {
	t.Parallel()
	browser := needBrowser(t)
	c := newControl(newGround(t, testenv.Soketi(t)))
	c.startWorker()
	c.run(browser, "sign-in", "life", "strangers", "scale", "keyboard", "looks")
}

// Servers die under the page and come back.
func TestBrowserOutages(t *testing.T) {
	t.Parallel()
	browser := needBrowser(t)
	soketi := testenv.StartSoketi(t)
	c := newControl(newGround(t, soketi.SoketiApp))
	c.soketi = soketi
	c.startWorker()
	c.run(browser, "outages")
}

// Channels that one has to be let into.
func TestBrowserChannels(t *testing.T) {
	t.Parallel()
	browser := needBrowser(t)
	for _, mode := range []testenv.ChannelMode{testenv.Private, testenv.Encrypted} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			g := newGround(t, testenv.Soketi(t))
			g.env["BROADCAST_CHANNEL"] = string(mode)
			if mode == testenv.Encrypted {
				g.env["BROADCAST_ENCRYPTION_KEY"] = masterKey
			}
			c := newControl(g)
			c.startWorker()
			c.run(browser, "channels")
		})
	}
}

// The whole way: from a request to the app to the picture.
func TestBrowserLaravel(t *testing.T) {
	t.Parallel()
	browser := needBrowser(t)
	app := newLaravel(t, testenv.Soketi(t))
	c := newControl(app.ground)
	c.app = app
	c.startWorker()
	c.run(browser, "laravel")
}

// browser is what the scripts need.
type browser struct{ node, chromium string }

func needBrowser(t *testing.T) browser {
	t.Helper()
	var b browser
	for name, path := range map[string]*string{"node": &b.node, "chromium": &b.chromium} {
		found, err := exec.LookPath(name)
		if err != nil {
			testenv.Need(t, name+" is not in PATH")
		}
		*path = found
	}
	for _, module := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join("../web/node_modules", module)); err != nil {
			testenv.Need(t, "web/node_modules has no "+module)
		}
	}
	page, err := os.ReadFile("../internal/admin/dist/index.html")
	if err != nil || !regexp.MustCompile(`src="[^"]+\.js"`).Match(page) {
		testenv.Need(t, "internal/admin/dist holds no page, which make web builds")
	}
	return b
}

// run runs scripts one after the other, so that none takes time from what another measures.
// Meanwhile this goroutine does what they ask for.
func (c *control) run(b browser, scripts ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), browserPatience)
	defer cancel()
	args := []string{"--test", "--test-concurrency=1", "--test-reporter=spec"}
	for _, script := range scripts {
		if only := os.Getenv("SCHEMACAST_BROWSER"); only != "" && only != script {
			continue // somebody works on one script
		}
		args = append(args, filepath.Join("browser", script+".test.mjs"))
	}
	cmd := exec.CommandContext(ctx, b.node, args...)
	cmd.Dir = "../web"
	cmd.Env = append(os.Environ(), "SCHEMACAST_CONTROL="+c.serve(), "SCHEMACAST_PAGE=http://"+c.addr, "SCHEMACAST_CHROMIUM="+b.chromium,
		"SCHEMACAST_CHANNEL="+c.env["BROADCAST_CHANNEL"], "SCHEMACAST_TOKEN="+tokenOfAll, "SCHEMACAST_TOKEN_OF_ONE="+tokenOfOne,
		"SCHEMACAST_TENANT="+c.tenant, "SCHEMACAST_SCREENSHOTS="+screenshots(c.t), "NO_COLOR=1")
	cmd.Stdout, cmd.Stderr = c.t.Output(), c.t.Output()
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	var failure error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failure = cmd.Wait()
	}()
	c.t.Cleanup(func() { // where a step below has ended the test
		cancel()
		<-ended
	})
	for {
		select {
		case job := <-c.jobs:
			job()
		case <-ended:
			if failure != nil {
				c.t.Errorf("the scripts %v: %v, %v; see above", scripts, failure, context.Cause(ctx))
			}
			return
		}
	}
}

// screenshots is the folder that scripts leave pictures in: kept where the variable names
// one, as CI does.
func screenshots(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SCHEMACAST_SCREENSHOTS")
	if dir == "" {
		return t.TempDir()
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("..", dir) // as make has it, from the root
	}
	absolute, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(absolute, 0o750)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("make the folder of SCHEMACAST_SCREENSHOTS: %w", err))
	}
	return absolute
}
