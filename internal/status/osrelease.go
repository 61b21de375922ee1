package status

import "strings"

// prettyName is PRETTY_NAME of an os-release text, else NAME and VERSION_ID,
// else "": os-release(5). Only quotes are taken off, as a person would read it.
func prettyName(text string) string {
	value := func(name string) string {
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
				return strings.Trim(v, `"'`)
			}
		}
		return ""
	}
	if name := value("PRETTY_NAME"); name != "" {
		return name
	}
	return strings.TrimSpace(value("NAME") + " " + value("VERSION_ID"))
}
