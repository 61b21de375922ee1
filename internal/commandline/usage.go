package commandline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/autonomyops/edged/internal/errs"
)

// unknown returns the error about a command that group does not have.
func unknown(group *cobra.Command, name string) error {
	next := commandsOf(group)
	if near := nearest(name, namesOf(group)); near != "" {
		next = fmt.Sprintf("did you mean '%s %s'? '%[1]s --help' lists the commands", group.CommandPath(), near)
	} else if path := elsewhere(group.Root(), name); path != "" {
		next = fmt.Sprintf("did you mean '%s'? '%s --help' lists the commands", path, group.CommandPath())
	}
	return errs.Advise(next, "%s has no command %q", group.CommandPath(), name)
}

func namesOf(group *cobra.Command) (names []string) {
	for _, c := range group.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

func commandsOf(group *cobra.Command) string {
	return fmt.Sprintf("use one of %s; '%s --help' describes them", strings.Join(namesOf(group), ", "), group.CommandPath())
}

// elsewhere returns the path of a command below cmd with this name, "" if there
// is none.
func elsewhere(cmd *cobra.Command, name string) string {
	for _, c := range cmd.Commands() {
		if c.Name() == name {
			return c.CommandPath()
		}
		if path := elsewhere(c, name); path != "" {
			return path
		}
	}
	return ""
}

// miscounted returns the error about too few or too many arguments. A command's
// arguments are the words of its Use up to the first flag.
func miscounted(cmd *cobra.Command, args []string) error {
	var takes []string
	least := 0
	for _, word := range strings.Fields(cmd.Use)[1:] {
		if strings.HasPrefix(word, "-") || strings.HasPrefix(word, "(") {
			break
		}
		takes = append(takes, word)
		if !strings.HasPrefix(word, "[") {
			least++
		}
	}
	want := strings.Join(takes, " ")
	switch {
	case len(takes) == 0:
		return fmt.Errorf("%s takes no arguments; it was given %q", cmd.CommandPath(), strings.Join(args, " "))
	case len(args) < least:
		return fmt.Errorf("%s needs %s; it was given %s", cmd.CommandPath(), want, arguments(len(args)))
	}
	return fmt.Errorf("%s takes only %s; it was given %s", cmd.CommandPath(), want, arguments(len(args)))
}

func arguments(n int) string {
	switch n {
	case 0:
		return "no argument"
	case 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

// flagError returns the error about a flag in plain words.
func flagError(cmd *cobra.Command, err error) error {
	var (
		none  *pflag.NotExistError
		bare  *pflag.ValueRequiredError
		wrong *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &none):
		if none.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag: -%s", none.GetSpecifiedName())
		}
		unknown := fmt.Errorf("unknown flag: --%s", none.GetSpecifiedName())
		if near := nearest(none.GetSpecifiedName(), flagsOf(cmd)); near != "" {
			return errs.Advise(fmt.Sprintf("did you mean --%s? '%s --help' lists the flags", near, cmd.CommandPath()), "%w", unknown)
		}
		return unknown
	case errors.As(err, &bare):
		return fmt.Errorf("--%s needs a value", bare.GetFlag().Name)
	case errors.Is(err, strconv.ErrRange) && errors.As(err, &wrong):
		return fmt.Errorf("--%s %s is out of range", wrong.GetFlag().Name, wrong.GetValue())
	case errors.As(err, &wrong):
		return fmt.Errorf("--%s %q is not %s", wrong.GetFlag().Name, wrong.GetValue(), kind(wrong.GetFlag().Value.Type()))
	}
	return err
}

func flagsOf(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// kind returns a description of the values of a type of flag.
func kind(typ string) string {
	switch typ {
	case "bool":
		return "true or false"
	case "uint64":
		return "a whole number from 0"
	case "int", "int64":
		return "a whole number"
	}
	return "a " + typ
}

// nearest returns the name that is nearest to word: one that begins with it, or
// differs in few letters. It returns "" if there is none.
func nearest(word string, names []string) string {
	word = strings.ToLower(word)
	best, least := "", max(2, len(word)/3)+1
	for _, name := range names {
		d := distance(word, name)
		if len(word) > 1 && strings.HasPrefix(name, word) {
			d = min(d, 1)
		}
		if d < least && d < len(word) {
			best, least = name, d
		}
	}
	return best
}

// distance returns the number of letters to insert, remove, replace, or swap with
// their neighbour to turn a into b.
func distance(a, b string) int {
	before, row := []int(nil), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			differ := 1
			if a[i] == b[j] {
				differ = 0
			}
			next[j+1] = min(row[j]+differ, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
