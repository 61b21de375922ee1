package main

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// manPages writes a man page for each command, made from its --help.
func (s *stage) manPages() error {
	for _, name := range s.binaries() {
		root := manPage{command: name, section: 1, short: s.short[name]}
		if name == "edged" {
			root.section = 8
		}
		if err := s.manPage(root); err != nil {
			return err
		}
	}
	return nil
}

// manPage is what a page says that is not in the command's own help.
type manPage struct {
	command string // with those that it is under: "edgectl journal log"
	section int
	short   string
}

// manPage writes the page of a command and those of the commands under it.
func (s *stage) manPage(p manPage) error {
	words := strings.Fields(p.command)
	out, err := s.run(words[0], append(words[1:], "--help")...)
	if err != nil {
		return err
	}
	h := parseHelp(string(out))
	for _, c := range h.commands {
		if err := s.manPage(manPage{p.command + " " + c.name, p.section, c.text}); err != nil {
			return err
		}
	}
	name := strings.ReplaceAll(p.command, " ", "-")
	return s.writeGzip(fmt.Sprintf("usr/share/man/man%d/%s.%[1]d", p.section, name), []byte(p.render(h, s)))
}

// help is the parts of what --help prints.
type help struct {
	long, usage, examples string
	commands, flags       []described
}

type described struct{ name, text string }

// parseHelp takes the text apart at its headings.
func parseHelp(text string) help {
	headings := regexp.MustCompile(`(?m)^(Usage|Examples|Available Commands|Flags|Global Flags):\n`)
	at := headings.FindAllStringSubmatchIndex(text, -1)
	h := help{long: text}
	for i, m := range at {
		if i == 0 {
			h.long = text[:m[0]]
		}
		body := text[m[1]:]
		if i+1 < len(at) {
			body = text[m[1]:at[i+1][0]]
		}
		body, _, _ = strings.Cut(body, "\nUse \"")
		switch text[m[2]:m[3]] {
		case "Usage":
			h.usage = body
		case "Examples":
			h.examples = body
		case "Available Commands":
			for _, d := range describe(body) {
				if d.name != "help" {
					h.commands = append(h.commands, d)
				}
			}
		default:
			h.flags = append(h.flags, describe(body)...)
		}
	}
	return h
}

// describe reads lines of names and, two spaces or more further, texts.
func describe(body string) (all []described) {
	form := regexp.MustCompile(`^ +(\S+(?: \S+)*) {2,}(\S.*)$|^ {2}(\S+) (\S.*)$`)
	for line := range strings.Lines(body) {
		if m := form.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			all = append(all, described{m[1] + m[3], m[2] + m[4]})
		}
	}
	return all
}

// render writes the page in the man macros of roff.
func (p manPage) render(h help, s *stage) string {
	name := strings.ReplaceAll(p.command, " ", "-")
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %d %s %s\n", roff(strings.ToUpper(name)), p.section, s.time.Format("2006-01-02"), s.name)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(name), roff(p.short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.nf\n%s\n.fi\n", roff(unindent(h.usage)))
	b.WriteString(".SH DESCRIPTION\n")
	for paragraph := range strings.SplitSeq(strings.TrimSpace(h.long), "\n\n") {
		if strings.HasPrefix(paragraph, " ") {
			fmt.Fprintf(&b, ".PP\n.nf\n%s\n.fi\n", roff(strings.TrimRight(paragraph, "\n")))
		} else {
			fmt.Fprintf(&b, ".PP\n%s\n", roff(paragraph))
		}
	}
	if len(h.commands) > 0 {
		b.WriteString(".SH COMMANDS\n")
		for _, c := range h.commands {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\-%s\\fR(%d)\n%s\n", roff(name), roff(c.name), p.section, roff(c.text))
		}
	}
	if len(h.flags) > 0 {
		b.WriteString(".SH OPTIONS\n")
		for _, f := range h.flags {
			fmt.Fprintf(&b, ".TP\n\\fB%s\\fR\n%s\n", roff(f.name), roff(f.text))
		}
	}
	if h.examples != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(unindent(h.examples)))
	}
	b.WriteString(".SH SEE ALSO\n")
	if parent := path.Dir(strings.ReplaceAll(p.command, " ", "/")); parent != "." {
		fmt.Fprintf(&b, "\\fB%s\\fR(%d),\n", roff(strings.ReplaceAll(parent, "/", "-")), p.section)
	}
	b.WriteString("the documents in /" + s.docDir() + "\n")
	return b.String()
}

// unindent takes the two spaces off that help has before each line.
func unindent(text string) string {
	return strings.ReplaceAll(strings.TrimRight("\n"+text, "\n"), "\n  ", "\n")[1:]
}

// roff writes text so that none of it is taken for a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", "\\(ga", `^`, `\(ha`, `~`, `\(ti`).Replace(text)
	return regexp.MustCompile(`(?m)^([.'])`).ReplaceAllString(text, `\&$1`)
}
