package display

import "strings"

// System returns the operating system's name in its os-release, to be shown and
// never used for a decision; "" if the text has none.
func System(osRelease string) string {
	values := map[string]string{}
	for line := range strings.Lines(osRelease) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		values[name] = value
	}
	if values["PRETTY_NAME"] != "" {
		return Clean(values["PRETTY_NAME"])
	}
	for _, name := range []string{"NAME", "ID"} {
		if values[name] != "" {
			return Clean(strings.TrimSpace(values[name] + " " + values["VERSION_ID"]))
		}
	}
	return ""
}
