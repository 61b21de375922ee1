package page_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/report/page"
)

// The policy allows the page's own script and style, and requests to its own host.
func TestFleetPolicy(t *testing.T) {
	html, policy, err := page.Fleet(`hub"><script>alert(1)</script>`)
	if err != nil {
		t.Fatal(err)
	}
	scripts := regexp.MustCompile(`(?s)<script[^>]*>(.*?)</script>`).FindAllSubmatch(html, -1)
	styles := regexp.MustCompile(`(?s)<style[^>]*>(.*?)</style>`).FindAllSubmatch(html, -1)
	if len(scripts) != 1 || len(styles) != 1 {
		t.Fatalf("%d scripts and %d styles", len(scripts), len(styles))
	}
	hash := func(text []byte) string {
		sum := sha256.Sum256(text)
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := []string{
		"default-src 'none'", "script-src " + hash(scripts[0][1]), "style-src " + hash(styles[0][1]), "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}
	if got := strings.Split(policy, "; "); !slices.Equal(got, append(want, "frame-ancestors 'none'")) {
		t.Errorf("the header is %q", got)
	}
	meta := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`).FindSubmatch(html)
	if meta == nil {
		t.Fatal("the page has no policy of its own")
	}
	if got := strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(string(meta[1])); got != strings.Join(want, "; ") {
		t.Errorf("the page's policy is %s", got)
	}
}

// TestFleetData compares the members of hub.Fleet with those that src/fleet/data.ts
// declares: the page reads what the hub writes.
func TestFleetData(t *testing.T) {
	text, err := os.ReadFile("src/fleet/data.ts")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string][]string{}
	for _, d := range regexp.MustCompile(`(?s)export interface (\w+) \{(.*?)\n\}`).FindAllStringSubmatch(string(text), -1) {
		for _, m := range regexp.MustCompile(`(?m)^  (\w+): (.*);$`).FindAllStringSubmatch(d[2], -1) {
			declared[d[1]] = append(declared[d[1]], m[1]+": "+m[2])
		}
	}
	for _, v := range []any{hub.Fleet{}, hub.Node{}, hub.Boot{}, hub.Flag{}, hub.Conflict{}, hub.Side{}, hub.Differing{}} {
		of := reflect.TypeOf(v)
		var want []string
		for i := range of.NumField() {
			f := of.Field(i)
			want = append(want, f.Tag.Get("json")+": "+script(f.Type))
		}
		if got := declared[of.Name()]; !slices.Equal(got, want) {
			t.Errorf("%s is declared as\n\t%s\nand the hub writes\n\t%s", of.Name(), strings.Join(got, "; "), strings.Join(want, "; "))
		}
	}
}

// script returns what a type is in the script.
func script(of reflect.Type) string {
	switch {
	case of == reflect.TypeFor[time.Time](), of.Kind() == reflect.String:
		return "string"
	case of.Kind() == reflect.Bool:
		return "boolean"
	case of.Kind() == reflect.Pointer:
		return script(of.Elem()) + " | null"
	case of.Kind() == reflect.Slice:
		return script(of.Elem()) + "[]"
	case of.Kind() == reflect.Map:
		return "Record<" + script(of.Key()) + ", " + script(of.Elem()) + ">"
	case of.Kind() == reflect.Struct:
		return of.Name()
	}
	return "number"
}
