package main

import (
	"slices"
	"strings"
	"testing"
)

func TestInterleave(t *testing.T) {
	var order []string
	subject := func(name string) subject {
		return subject{name, func(int) (command, error) {
			order = append(order, name)
			return command{args: []string{"/bin/true"}}, nil
		}}
	}
	took, err := interleave(3, subject("a"), subject("b"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("ab", 3+warmUps); strings.Join(order, "") != want {
		t.Errorf("order %v", order)
	}
	if len(took["a"]) != 3 || len(took["b"]) != 3 || slices.Contains(took["a"], 0) {
		t.Errorf("%v", took)
	}
}

// A process that fails is never measured, and its output is reported.
func TestInterleaveFails(t *testing.T) {
	_, err := interleave(1, subject{"a", always(command{args: []string{"/bin/sh", "-c", "echo no space >&2; exit 3"}})})
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no space") || !strings.Contains(err.Error(), "a, round 0") {
		t.Error(err)
	}
}

func TestOtherOS(t *testing.T) {
	release := func(other bool) string {
		out, err := command{args: []string{"/bin/uname", "-r"}, otherOS: other}.output()
		if err != nil {
			t.Skipf("no personality here: %v", err)
		}
		return string(out)
	}
	here := release(false)
	if other := release(true); other == here || !strings.HasPrefix(other, "2.6.") {
		t.Errorf("the other operating system is %q, this one %q", other, here)
	}
	if again := release(false); again != here {
		t.Errorf("the personality stayed: %q", again)
	}
}
