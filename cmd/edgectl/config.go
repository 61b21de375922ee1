package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/config"
)

func configCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "the config of the node",
		Long:    `The config says where the state root is, and what the gate demands.`,
		Example: `  edgectl config check`,
	}
	cmd.AddCommand(configCheck(e))
	return cmd
}

// checked is what config check prints as JSON.
type checked struct {
	OK       bool            `json:"ok"`
	Config   string          `json:"config"`
	Node     string          `json:"node"`       // "" if the config is not valid
	Root     string          `json:"state_root"` // "" if the config is not valid
	Problems []configProblem `json:"problems"`
	Omitted  int             `json:"omitted"` // problems beyond those listed
}

type configProblem struct {
	Line    int    `json:"line"`   // from 1; 0 if the problem has no place
	Column  int    `json:"column"` // in characters, from 1; 0 if the problem has no place
	Key     string `json:"key"`    // dotted, "" if it concerns no key
	Problem string `json:"problem"`
}

func configCheck(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "report what the gate would say of a config, a problem a line",
		Long: `check reads a config as the gate does and reports every problem on a line of its
own. FILE is the one that --config, EDGE_CONFIG or /etc/edged/config.yaml names,
if it is not given. Whether the files that it names exist is a question for
edgectl doctor.

Exit status: 0 nothing is wrong with it, 1 it has problems, with which the gate
ends with exit 1, 2 it cannot be read.`,
		Example: `  edgectl config check config.yaml
  edgectl config check --json | jq -r '.problems[].key'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := e.configFile(args)
			if err != nil {
				return err
			}
			cfg, err := config.Load(file)
			var rejected *config.Error
			if errors.As(err, &rejected) && rejected.Unreadable() {
				return err
			}
			if e.json {
				err = writeJSON(e.stdout, newChecked(file, cfg, rejected))
			} else {
				err = e.printChecked(file, cfg, rejected)
			}
			if err == nil && rejected != nil {
				return errWrong
			}
			return err
		},
	}
	e.jsonFlag(cmd)
	return cmd
}

func (e *env) configFile(args []string) (string, error) {
	if len(args) == 0 {
		root, file, _, err := e.node()
		if err == nil && file == "" {
			err = fail("pass the config's FILE", "no config of the state root %s is known", root)
		}
		return file, err
	}
	if e.target.config != "" {
		return "", fail("drop one of them", "--config and the argument %s both name a config", args[0])
	}
	return args[0], nil
}

func newChecked(file string, cfg *config.Config, rejected *config.Error) checked {
	c := checked{OK: rejected == nil, Config: file, Problems: []configProblem{}}
	if rejected == nil {
		c.Node, c.Root = cfg.Identity.EdgeDomainID, cfg.Root.Root
		return c
	}
	for _, p := range rejected.Problems {
		c.Problems = append(c.Problems, configProblem{p.Line, p.Col, p.Key, p.Msg})
	}
	if len(rejected.Problems) == 0 {
		c.Problems = append(c.Problems, configProblem{Problem: rejected.Err.Error()})
	}
	c.Omitted = rejected.Omitted
	return c
}

func (e *env) printChecked(file string, cfg *config.Config, rejected *config.Error) (err error) {
	if rejected == nil {
		_, err = fmt.Fprintf(e.stdout, "%s: valid, node %s, state root %s\n", file, cfg.Identity.EdgeDomainID, cfg.Root.Root)
		return err
	}
	for _, line := range rejected.Lines() {
		if _, err = fmt.Fprintln(e.stdout, line); err != nil {
			return err
		}
	}
	return nil
}
