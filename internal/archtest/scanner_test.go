package archtest

import (
	"slices"
	"testing"
)

func TestUses(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string
	}{
		{"plain", "package p\nimport \"os\"\nfunc f() { os.Rename(\"a\", \"b\") }\n", []string{"line 3: os.Rename"}},
		{"renamed import", "package p\nimport host \"os\"\nfunc f() { host.Mkdir(\"a\", 0) }\n", []string{"line 3: os.Mkdir"}},
		{"as a value", "package p\nimport \"os\"\nvar f = os.WriteFile\n", []string{"line 3: os.WriteFile"}},
		{"dot import", "package p\nimport . \"os\"\nfunc f() { Remove(\"a\") }\n", []string{"line 2: dot import of os"}},
		{"system call", "package p\nimport \"golang.org/x/sys/unix\"\nvar f = unix.Unlinkat\n", []string{"line 3: unix.Unlinkat"}},
		{"reading is free", "package p\nimport \"os\"\nvar f = os.ReadFile\nvar g = os.Getenv\n", nil},
		{"another package of that name", "package p\nimport \"example.org/os\"\nvar f = os.Rename\n", nil},
		{"a method of that name", "package p\nfunc f(fs interface{ Rename() }) { fs.Rename() }\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := uses("p.go", []byte(tt.src), mutators)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
	if got, _ := uses("p.go", []byte("package p\nimport \"time\"\nvar n = time.Now()\n"), clocks); len(got) != 1 {
		t.Errorf("time.Now goes unnoticed: %q", got)
	}
	if _, err := uses("p.go", []byte("not Go"), clocks); err == nil {
		t.Error("a file that is not Go was judged")
	}
}

func TestStartup(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string
	}{
		{"init", "package p\nfunc init() {}\n", []string{"line 2: func init"}},
		{"a method named init", "package p\ntype t int\nfunc (t) init() {}\n", nil},
		{"package regexp", "package p\nimport \"regexp\"\nvar r = regexp.MustCompile(\"a\")\n",
			[]string{"line 3: regular expression compiled at start-up"}},
		{"regexp in a function", "package p\nimport \"regexp\"\nfunc f() { regexp.MustCompile(\"a\") }\n", nil},
		{"regexp put off", "package p\nvar r = sync.OnceValue(func() any { return regexp.MustCompile(\"a\") })\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := startup("p.go", []byte(tt.src))
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
		})
	}
	if _, err := startup("p.go", []byte("not Go")); err == nil {
		t.Error("a file that is not Go was judged")
	}
}

func TestWithin(t *testing.T) {
	if !within("journal/a.go", seamed) || within("journalist/a.go", seamed) || within("internal/durable/a.go", seamed) {
		t.Error("folders are matched by whole names")
	}
}
