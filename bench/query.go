package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
)

//go:embed query.mjs
var queryScript string

// queried is the number of records of each node whose fleet is queried.
const queried = 1000

// query measures the documented queries in DuckDB, over the export of a fleet.
func (b *bench) query() (rows []row, err error) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return []row{{"DuckDB over a fleet", "–", "–", "skipped", tool + " is not installed"}}, nil
		}
	}
	nodes := max(10_000*b.records/1_000_000, 200)
	store := filepath.Join(b.dir, "queried")
	if err := b.fill(store, nodes); err != nil {
		return nil, err
	}
	out := filepath.Join(b.dir, "export")
	edgehub := filepath.Join(filepath.Dir(b.edgectl), "edgehub")
	took, err := command{args: []string{edgehub, "export", "--store", store, "--out", out}}.run()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(out, "*.parquet"))
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		size += info.Size()
	}
	total := nodes * queried
	rows = append(rows, measured("edgehub export: records into Parquet", limit{}, float64(total)/took.Seconds(),
		fmt.Sprintf("records/s; %d nodes × %d records, %d files of %d MiB in all", nodes, queried, len(files), size>>20)))
	text, err := os.ReadFile("../docs/hub.md")
	if err != nil {
		return rows, err
	}
	queries := []string{"SELECT count(*) FROM 'fleet/*.parquet'"}
	for _, block := range strings.Split(string(text), "```sql\n")[1:] {
		sql, _, _ := strings.Cut(block, "```")
		queries = append(queries, sql)
	}
	for i := range queries {
		queries[i] = strings.ReplaceAll(queries[i], "'fleet/", "'"+out+"/")
	}
	answers, err := b.duckdb(queries)
	if err != nil {
		return rows, err
	}
	if answers[0].First != fmt.Sprint(total) {
		return rows, fmt.Errorf("the export holds %s records, but the checkpoints are over %d", answers[0].First, total)
	}
	for i, a := range answers {
		rows = append(rows, measured(fmt.Sprintf("DuckDB: query %d of docs/hub.md", i), atMost(1, "s"), a.MS/1000, fmt.Sprintf("%d rows; %.60s", a.Rows, strings.Join(strings.Fields(queries[i]), " "))))
	}
	return rows, nil
}

// fill makes a store with the records of many nodes.
func (b *bench) fill(at string, nodes int) error {
	n, err := b.bootedNode("query-node", 3)
	if err != nil {
		return err
	}
	entry, err := newestEntry(n.dir)
	if err != nil {
		return err
	}
	if err := extend(n.dir, queried, pace{fold: true}, entry); err != nil {
		return err
	}
	template, err := entries(n.dir)
	if err != nil {
		return err
	}
	store, err := bucket.OpenFolder(at)
	if err != nil {
		return err
	}
	key, _, err := hub.GenerateKey("bench.test")
	if err != nil {
		return err
	}
	h, err := hub.New(context.Background(), store, key, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	signer, err := transparency.GenerateSigner("node")
	if err != nil {
		return err
	}
	took, err := inParallel(nodes, func(i int) error {
		s, err := simulate(signer, template, i)
		if err != nil {
			return err
		}
		shipment, err := s.shipment(0, queried)
		if err == nil {
			_, err = h.Accept(context.Background(), "", shipment)
		}
		return err
	})
	b.say("made %d records in %s", nodes*queried, took.Round(time.Second))
	return err
}

type answer struct {
	MS    float64 `json:"ms"`
	Rows  int     `json:"rows"`
	First string  `json:"first"`
}

// duckdb runs queries in DuckDB, which npm fetches.
func (b *bench) duckdb(queries []string) (answers []answer, err error) {
	dir := filepath.Join(b.dir, "duckdb")
	pack, err := os.ReadFile("../internal/interop/duckdb/package.json")
	if err != nil {
		return nil, err
	}
	err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "package.json"), pack, 0o600), os.WriteFile(filepath.Join(dir, "query.mjs"), []byte(queryScript), 0o600))
	if err != nil {
		return nil, err
	}
	npm := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--loglevel", "error")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("npm cannot fetch DuckDB: %w: %s", err, out)
	}
	text, err := json.Marshal(queries)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("node", "query.mjs")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(string(text))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("DuckDB: %w: %s", err, said.String())
	}
	return answers, json.Unmarshal(out, &answers)
}
